"""Redaction inside one text: spans that detectors and known texts give, replaced until there is none left."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal
from uuid import UUID

from llmtee.privacy._detectors import DETECTORS
from llmtee.privacy._escapes import back, views

Action = Literal["replace", "pseudonym", "drop"]

TOKEN = re.compile(r"\[[a-z_]{1,60}(?::[a-z]{12})?\]")
"""What stands for a redacted value: ``[email]``, ``[email:kqvzthrmwbxn]``. Letters only, so that no detector takes it."""
FAILED = "[failed]"
"""What stands for a text whose own redaction failed."""

_BLOB = re.compile(r"[A-Za-z0-9+/_-]{256,}+={0,2}\s*+")
_DATA_URL = re.compile(r"data:[^,\s]{0,200};base64,")
_OWN_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ROUNDS = 8


class Texts:
    """Replaces what a redaction names in texts, and counts it."""

    def __init__(self, detect: Iterable[str], action: Action, key: bytes | None) -> None:
        self._detectors = [(name, DETECTORS[name]) for name in detect]
        self._action = action
        self._key = key

    def token(self, label: str, value: str) -> str:
        """What stands for a value; empty where it is dropped."""
        if self._action == "drop":
            return ""
        if self._action == "replace" or self._key is None:
            return f"[{label[:60]}]"
        number = int.from_bytes(self._digest(label, value))
        letters = []
        for _ in range(12):
            number, letter = divmod(number, 26)
            letters.append(chr(97 + letter))
        return f"[{label[:60]}:{''.join(letters)}]"

    def uuid(self, value: str) -> str:
        """What stands for an event's id, which has to remain a UUID: one of version 8 (RFC 9562)."""
        digest = bytearray(self._digest("id", value)[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return str(UUID(bytes=bytes(digest)))

    def _digest(self, label: str, value: str) -> bytes:
        said = f"{label}\0{_normal(label, value)}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key or b"", said, hashlib.sha256).digest()

    def clean(self, text: str, known: Mapping[str, str], counts: Counter[str]) -> str:
        """The text without what the detectors find, and without the known texts, whose labels ``known`` gives.

        Repeated until nothing is found, since what is left may stand together anew.
        """
        if (not self._detectors and not known) or is_blob(text):
            return text
        if TOKEN.fullmatch(text):
            return text
        for _ in range(_ROUNDS):
            spans = self._spans(text, known)
            if not spans:
                return text
            text = self._replaced(text, spans, counts)
        return FAILED

    def _replaced(self, text: str, spans: list[tuple[int, int, str]], counts: Counter[str]) -> str:
        pieces: list[str] = []
        at = 0
        for start, end, label in spans:
            pieces += (text[at:start], self.token(label, text[start:end]))
            counts[label] += 1
            at = end
        return "".join((*pieces, text[at:]))

    def _spans(self, text: str, known: Mapping[str, str]) -> list[tuple[int, int, str]]:
        found = list(self._found(text, known))
        for chain in views(text):
            for start, end, label in self._found(chain[-1].text, known):
                found.append((*back(chain, start, end), label))
        if not found:
            return []
        tokens = [match.span() for match in TOKEN.finditer(text)]
        return _united(_outside(found, tokens))

    def _found(self, text: str, known: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
        for name, detector in self._detectors:
            for start, end in detector(text):
                yield start, end, name
        for value, label in known.items():
            at = text.find(value)
            while at >= 0:
                yield at, at + len(value), label
                at = text.find(value, at + len(value))


def is_token(text: str) -> bool:
    """Whether a text is nothing but what stands for a redacted value."""
    return TOKEN.fullmatch(text) is not None or _OWN_UUID.fullmatch(text) is not None


def is_blob(text: str) -> bool:
    """Whether a text is nothing but base64, such as an image: no detector has anything to find in it."""
    if len(text) < 256:
        return False
    head = _DATA_URL.match(text)
    found = _BLOB.match(text, head.end() if head else 0)
    return found is not None and found.end() == len(text)


def _outside(
    spans: list[tuple[int, int, str]], tokens: list[tuple[int, int]]
) -> list[tuple[int, int, str]]:
    """The spans that are not a part of what stands for a value already."""
    if not tokens:
        return spans
    return [
        span
        for span in spans
        if not any(start <= span[0] and span[1] <= end for start, end in tokens)
    ]


def _united(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Spans in order, those that meet made one: the first gives its name, the longer before the shorter."""
    result: list[tuple[int, int, str]] = []
    for start, end, label in sorted(spans, key=lambda span: (span[0], -span[1], span[2])):
        if result and start < result[-1][1]:
            first, last, name = result[-1]
            result[-1] = (first, max(last, end), name)
        else:
            result.append((start, end, label))
    return result


def _normal(label: str, value: str) -> str:
    """One spelling for what is the same: an address in capitals, a number with or without spaces."""
    if label in ("card", "phone"):
        return "".join(char for char in value if char.isdigit())
    return value.casefold() if label == "email" else value
