"""Contents of Gemini, to canonical messages and back.

A content of role ``user`` may hold answers of functions beside what the user says. They become messages of role
``tool``, one each; ``joined`` in ``extra`` tells that a message stood in the same content as the one before it, and
``role`` which role the content had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtee.formats.gemini.names import own, owned
from llmtee.formats.gemini.parts import decode_part, encode_part, is_part
from llmtee.formats.gemini.tools import Pairing, names_of
from llmtee.jsonfields import as_list, as_object, as_text, join, rest
from llmtee.model import AnyPart, CitationPart, Message, ToolResultPart

_ROLES = {"model": "assistant", "function": "tool"}
_WORDS = {"assistant": "model", "tool": "user", "system": "user", "developer": "user"}
SYSTEM = ("system", "developer")
IN_CONTENTS = "contents"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_contents(raw: Any, path: str, pairing: Pairing) -> tuple[Message, ...]:
    """The contents of a request: a list, or a single content, part or text, as the SDKs take them."""
    entries = as_list(raw, path) if isinstance(raw, list | None) else [raw]
    found: list[Message] = []
    bare: list[AnyPart] = []
    for i, entry in enumerate(entries):
        where = f"{path}[{i}]" if isinstance(raw, list) else path
        if isinstance(entry, str) or (isinstance(entry, Mapping) and is_part(entry)):
            bare.append(decode_part(entry, where, pairing))
            continue
        found += _bare(bare)
        bare = []
        found += _decode_content(entry, where, pairing)
    return (*found, *_bare(bare))


def _bare(parts: Sequence[AnyPart]) -> list[Message]:
    """Parts without a content around them: the SDKs put neighbours into one content of the user's."""
    if not parts:
        return []
    return [Message(role="user", parts=tuple(parts), extra=owned({"form": "bare"}))]


def decode_answer(raw: Any, path: str, pairing: Pairing) -> Message:
    """The content of a candidate. It is the model's, whatever role it has."""
    parts, word, beside = _take_apart(raw, path, pairing)
    return _message("assistant", parts, word, beside)


def _decode_content(raw: Any, path: str, pairing: Pairing) -> list[Message]:
    """One content as messages: one, or several where answers of functions stand in it."""
    parts, word, beside = _take_apart(raw, path, pairing)
    role = _ROLES.get(word or "user", word or "user")
    if role not in ("user", "tool"):
        return [_message(role, parts, word, beside)]
    found: list[Message] = []
    for run in _runs(parts):
        is_result = bool(run) and isinstance(run[0], ToolResultPart)
        extra = {**beside, "joined": True} if found else beside
        found.append(_message("tool" if is_result else role, run, word, extra))
        beside = {}
    return found


def _take_apart(
    raw: Any, path: str, pairing: Pairing
) -> tuple[list[AnyPart], str | None, dict[str, Any]]:
    """The parts of a content, its role, and what else it has."""
    raw = as_object(raw, path)
    word = as_text(raw["role"], join(path, "role")) if raw.get("role") is not None else None
    return _parts(raw, path, pairing), word, rest(raw, "role", "parts")


def _parts(raw: Mapping[str, Any], path: str, pairing: Pairing) -> list[AnyPart]:
    where = join(path, "parts")
    return [
        decode_part(part, f"{where}[{i}]", pairing)
        for i, part in enumerate(as_list(raw.get("parts"), where))
    ]


def _runs(parts: Sequence[AnyPart]) -> list[list[AnyPart]]:
    """Each answer of a function for itself, and what stands between them together."""
    runs: list[list[AnyPart]] = []
    for part in parts:
        alone = isinstance(part, ToolResultPart)
        if alone or not runs or isinstance(runs[-1][0], ToolResultPart):
            runs.append([part])
        else:
            runs[-1].append(part)
    return runs or [[]]


def _message(
    role: str, parts: Sequence[AnyPart], word: str | None, extra: Mapping[str, Any]
) -> Message:
    fields = dict(extra)
    if word != _WORDS.get(role, role) or role == "tool":
        fields["role"] = word
    if role in SYSTEM:
        fields["field"] = IN_CONTENTS
    return Message(role=role, parts=tuple(parts), extra=owned(fields))


def decode_system(raw: Any, path: str, pairing: Pairing) -> tuple[Message, ...]:
    """``systemInstruction``: a content, and in the SDKs a part, text, or a list of these."""
    if raw is None:
        return ()
    if isinstance(raw, list):
        parts = [decode_part(one, f"{path}[{i}]", pairing) for i, one in enumerate(raw)]
        return (Message(role="system", parts=tuple(parts), extra=owned({"form": "list"})),)
    if isinstance(raw, str) or (isinstance(raw, Mapping) and is_part(raw)):
        part = decode_part(raw, path, pairing)
        return (Message(role="system", parts=(part,), extra=owned({"form": "single"})),)
    raw = as_object(raw, path)
    parts = _parts(raw, path, pairing)
    return (Message(role="system", parts=tuple(parts), extra=owned(rest(raw, "parts"))),)


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_messages(messages: Sequence[Message]) -> tuple[Any, list[Any]]:
    """``systemInstruction`` (or ``None``) and ``contents``.

    The leading system messages make the instruction; one further on is written as the user's, who is all there is.
    """
    names = names_of(part for message in messages for part in message.parts)
    leading = 0
    while leading < len(messages) and _is_instruction(messages[leading]):
        leading += 1
    contents: list[Any] = []
    for previous, message in zip((None, *messages[leading:]), messages[leading:], strict=False):
        if message.parts and not encode_parts(message.parts, names):
            continue  # nothing of it can be said here, and a content without parts is refused
        _append(contents, previous, message, names)
    return _encode_system(messages[:leading], names), contents


def _is_instruction(message: Message) -> bool:
    return message.role in SYSTEM and own(message).get("field") != IN_CONTENTS


def _append(
    contents: list[Any], previous: Message | None, message: Message, names: Mapping[str, str]
) -> None:
    extra = own(message)
    if extra.get("form") == "bare":
        contents += encode_parts(message.parts, names)
        return
    # Answers of parallel calls belong into one content.
    foreign = not extra and message.role == "tool"
    foreign &= previous is not None and previous.role == "tool" and not own(previous)
    joined = extra.get("joined") is True or foreign
    if joined and contents and isinstance(contents[-1], dict) and "parts" in contents[-1]:
        contents[-1]["parts"] += encode_parts(message.parts, names)
    else:
        contents.append(encode_content(message, names))


def encode_content(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """One message as a content."""
    extra = own(message)
    word = extra.get("role", _WORDS.get(message.role, message.role))
    role = {"role": word} if isinstance(word, str) else {}
    beside = rest(extra, "role", "parts", "joined", "field", "form")
    return {**role, "parts": encode_parts(message.parts, names), **beside}


def encode_parts(parts: Iterable[AnyPart], names: Mapping[str, str]) -> list[Any]:
    """Parts, without citations and what else stands elsewhere or cannot be said."""
    said = (part for part in parts if not isinstance(part, CitationPart))
    encoded = (encode_part(part, names) for part in said)
    return [part for part in encoded if part is not None]


def _encode_system(messages: Sequence[Message], names: Mapping[str, str]) -> Any:
    if not messages:
        return None
    parts = [part for message in messages for part in encode_parts(message.parts, names)]
    extra = own(messages[0])
    form = extra.pop("form", None)
    if form == "single" and len(parts) == 1:
        return parts[0]
    if form == "list":
        return parts
    return {**rest(extra, "parts", "joined", "field"), "parts": parts}
