"""The format ``llmtee``: our own events and conversations as ``to_json`` writes them, one JSON object each.

Files outlive versions: a field or a part type that a newer llmtee wrote is kept in the ``extra`` of its object and
named in ``flags``, instead of making the file unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.formats._build import build, tag_of
from llmtee.jsonfields import as_object
from llmtee.model import Conversation, Item, ModelCall, Step, ToolRun, conversation_id
from llmtee.model.ids import derive_id
from llmtee.model.snapshot import to_json_value
from llmtee.spec import Format

NAME = "llmtee"

_KINDS: dict[str, type[Item]] = {
    tag_of(cls): cls for cls in (ModelCall, ToolRun, Step, Conversation)
}


def decode(raw: Any) -> list[Item]:
    """The event or conversation of one JSON object, in a list.

    An object without an id gets one that is derived from what it holds.

    Raises:
        InputError: a value has the wrong type, or ``kind`` is none of ours; the error names the JSON path.
    """
    raw = as_object(to_json_value(raw), "")
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        found = "is missing" if kind is None else f"is {kind!r:.60}"
        raise InputError(f"{found}; it must be one of {', '.join(sorted(_KINDS))}", path="kind")
    raw = _with_ids(raw)
    try:
        return [_KINDS[kind].model_validate(raw)]  # what this version wrote, which is nearly all
    except ValidationError:
        pass  # a newer one's, or wrong: taken apart below, which says where
    item, flags = build(_KINDS[kind], raw, "")
    new = tuple(flag for flag in flags if flag not in item.flags)
    return [item.model_copy(update={"flags": (*item.flags, *new)}) if new else item]


def _with_ids(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """``raw`` with an id for itself and for each tool run in it, derived where there is none."""
    if raw.get("id") is None:
        raw = {**raw, "id": _derived_id(raw)}
    if raw["kind"] == "conversation" and isinstance(raw.get("tool_runs"), list):
        runs = [
            {**run, "id": derive_id(NAME, str(raw["id"]), str(i))}
            if isinstance(run, dict) and run.get("id") is None
            else run
            for i, run in enumerate(raw["tool_runs"])
        ]
        raw = {**raw, "tool_runs": runs}
    return raw


def _derived_id(raw: Mapping[str, Any]) -> str:
    session, segment = raw.get("session"), raw.get("segment", 0)
    if raw["kind"] == "conversation" and isinstance(session, str) and isinstance(segment, int):
        return conversation_id(session, segment)
    return derive_id(NAME, jsontext.dumps_sorted(raw).decode())


def detect(raw: Any) -> str | None:
    """Why ``raw`` is surely ours; ``None`` if it is not."""
    if not isinstance(raw, dict):
        return None
    kind = raw.get("kind")
    return f"kind is {kind!r}" if isinstance(kind, str) and kind in _KINDS else None


FORMAT = Format(
    name=NAME,
    title="llmtee's own events and conversations",
    decode=decode,
    detect=detect,
)
