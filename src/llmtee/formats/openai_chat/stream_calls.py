"""Tool calls of a stream of Chat Completions: which call a piece belongs to, and what the pieces amount to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._stream import Growing, as_index, is_empty, update
from llmtee.jsonfields import as_object, as_text, rest

_BODIES = {"function": "arguments", "custom": "input"}


class Calls:
    """The ``tool_calls`` of one choice.

    A piece belongs to the call of its ``index``. A piece that has the index of another call, but an id and a name of its
    own, begins a call (servers that give each call the index 0). Without an index it belongs to the call of its id, or
    to the last one; with neither index nor id, a name begins a call. Ids and names that are repeated count once.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}

    @staticmethod
    def check(raw: Any, path: str) -> None:
        """Raises `InputError` for a piece that `add` could not take."""
        call = as_object(raw, path)
        as_index(call.get("index"), f"{path}.index")
        for key in ("id", "type"):
            if call.get(key) is not None:
                as_text(call[key], f"{path}.{key}")
        for key in _BODIES:
            if call.get(key) is not None:
                body = as_object(call[key], f"{path}.{key}")
                if body.get("name") is not None:
                    as_text(body["name"], f"{path}.{key}.name")

    def add(self, piece: Mapping[str, Any]) -> None:
        """Takes a piece that `check` has seen."""
        index, call_id = as_index(piece.get("index"), "index"), piece.get("id")
        call = self._find(
            index, call_id, any((piece.get(key) or {}).get("name") for key in _BODIES)
        )
        if call is None:
            call = _Call(len(self._calls) if index is None else index)
            self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        if call_id:
            self._by_id.setdefault(call_id, call)
        call.add(piece)

    def _find(self, index: int | None, call_id: str | None, named: bool) -> _Call | None:
        if index is not None:
            found = self._by_index.get(index)
            other = found is not None and call_id and found.id not in (None, "", call_id)
            return self._by_id.get(call_id or "") if other and named else found
        if call_id:
            return self._by_id.get(call_id)
        return None if named or not self._calls else self._calls[-1]

    def whole(self) -> list[dict[str, Any]]:
        """The calls, by their index, as they would have come in one piece."""
        return [call.whole() for call in sorted(self._calls, key=lambda call: call.index)]


class _Call:
    """One call while it comes."""

    def __init__(self, index: int) -> None:
        self.index = index
        self._fields: dict[str, Any] = {}
        self._names: dict[str, list[str]] = {}
        self._bodies: dict[str, Growing] = {}

    @property
    def id(self) -> str | None:
        found = self._fields.get("id")
        return found if isinstance(found, str) else None

    def add(self, piece: Mapping[str, Any]) -> None:
        update(self._fields, rest(piece, "index", *_BODIES), "id", "type")
        for key in _BODIES:
            if (body := piece.get(key)) is not None:
                self._bodies.setdefault(key, Growing()).add(rest(body, "name"))
                names = self._names.setdefault(key, [])
                # A name that comes again is the same name; one in pieces is no standard, but OpenAI's SDK joins it.
                if (name := body.get("name")) and name != "".join(names):
                    names.append(name)

    def whole(self) -> dict[str, Any]:
        out = {key: value for key, value in self._fields.items() if not is_empty(value)}
        for key, body in self._bodies.items():
            names = self._names[key]
            out.setdefault("type", key)
            out[key] = {**({"name": "".join(names)} if names else {}), **body.whole()}
        return out
