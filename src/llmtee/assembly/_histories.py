"""The messages of a session, each stored once, and the histories that its calls repeat, as paths in a tree.

Two trees grow side by side. In the tree of *histories* a step is a message exactly as it was given: it is what is
stored. In the tree of *paths* a step is the identity of a message, so that copies of one message which differ in what
an application dropped lead to the same place: it is what is compared. A history that continues another one is found
by walking up from its end, over no more than what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from llmtee import jsontext
from llmtee.assembly._identity import identity
from llmtee.model import Message, TextPart

ROOT = 0
"""The empty history, and the empty path."""


class Histories:
    """Tables and trees. They only grow; numbers, once given, stay."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        """Each message that was given, once; what a *message number* counts."""
        self.keys: list[int] = []
        """The identity of each message, as a *key*: equal for copies of one message."""
        self.answers: list[bool] = []
        """Of each key: whether it is an assistant's."""
        self.parents: list[int] = [ROOT]
        self.steps: list[int] = [-1]
        """Of each history: its last message's number. `parents`: the history before that message."""
        self.paths: list[int] = [ROOT]
        """Of each history: its path."""
        self.up: list[int] = [ROOT]
        self.key: list[int] = [-1]
        """Of each path: its last key. `up`: the path before it."""
        self.depth: list[int] = [0]
        self.first: list[int] = [-1]
        """Of each path: its first key."""
        self.answered: list[bool] = [False]
        """Of each path: whether an answer is in it."""
        self._samples: list[int] = []
        self._by_object: dict[int, int] = {}
        self._plain: dict[tuple[str, str], int] = {}
        self._exact: dict[bytes, int] = {}
        self._key_of: dict[bytes, int] = {}
        self._next: dict[tuple[int, int], int] = {}
        self._down: dict[tuple[int, int], int] = {}
        self.read = self.identified = self.visited = 0
        """What was done, for those who count: messages read, identities computed, steps walked."""

    def number(self, message: Message) -> int:
        """The number of a message, a new one if it was never given."""
        self.read += 1
        # Sound as long as the table holds the very object, which it never lets go.
        known = self._by_object.get(id(message))
        return self._look_up(message) if known is None else known

    def _look_up(self, message: Message) -> int:
        text = _plain_text(message)
        digest = None
        if text is None:
            tree = message.to_json()
            text = _plain_json(tree)
            digest = None if text is not None else _digest(jsontext.dumps_sorted(tree))
        known = (
            self._plain.get((message.role, text)) if text is not None else self._exact.get(digest)  # type: ignore[arg-type]
        )
        if known is not None:
            return known
        number = len(self.messages)
        self.messages.append(message)
        self.keys.append(self._key(message, number))
        self._by_object[id(message)] = number
        if text is not None:
            self._plain[message.role, text] = number
        elif digest is not None:
            self._exact[digest] = number
        return number

    def _key(self, message: Message, number: int) -> int:
        self.identified += 1
        digest = _digest(identity(message).encode())
        key = self._key_of.setdefault(digest, len(self.answers))
        if key == len(self.answers):
            self.answers.append(message.role == "assistant")
            self._samples.append(number)
        return key

    def text_of(self, key: int) -> str:
        """The identity that a key stands for."""
        self.identified += 1
        return identity(self.messages[self._samples[key]])

    def history(self, messages: Iterable[Message]) -> int:
        """The history of these messages."""
        found = ROOT
        for message in messages:
            found = self.after(found, self.number(message))
        return found

    def after(self, history: int, message: int) -> int:
        """The history with one more message."""
        place = history, message
        found = self._next.get(place)
        if found is None:
            found = self._next[place] = len(self.parents)
            self.parents.append(history)
            self.steps.append(message)
            self.paths.append(self.path_after(self.paths[history], self.keys[message]))
        return found

    def path_after(self, path: int, key: int) -> int:
        """The path with one more step."""
        place = path, key
        found = self._down.get(place)
        if found is None:
            found = self._down[place] = len(self.up)
            self.up.append(path)
            self.key.append(key)
            self.depth.append(self.depth[path] + 1)
            self.first.append(self.first[path] if path else key)
            self.answered.append(self.answered[path] or self.answers[key])
        return found

    def known_after(self, path: int, key: int) -> int | None:
        """The path with one more step, if any was ever made."""
        return self._down.get((path, key))

    def last(self, history: int, count: int) -> list[int]:
        """The numbers of the last ``count`` messages of a history, in order."""
        found = []
        for _ in range(count):
            found.append(self.steps[history])
            history = self.parents[history]
        self.visited += count
        return found[::-1]

    def tail(self, path: int) -> Iterator[int]:
        """The keys of a path, last to first."""
        while path:
            self.visited += 1
            yield self.key[path]
            path = self.up[path]

    def walk_up(self, path: int, depth: int) -> int:
        """The start of a path, of that many steps."""
        while self.depth[path] > depth:
            self.visited += 1
            path = self.up[path]
        return path

    def messages_of(self, history: int) -> list[Message]:
        """The messages of a history, in order."""
        return [self.messages[n] for n in self.last(history, self.depth[self.paths[history]])]


def _plain_text(message: Message) -> str | None:
    """The text of a message that says nothing else; ``None`` for any other, and for some that look unlike one."""
    if message.model_fields_set != _PLAIN_MESSAGE or len(message.parts) != 1:
        return None
    part = message.parts[0]
    return part.text if type(part) is TextPart and part.model_fields_set <= _PLAIN_PART else None


_PLAIN_MESSAGE = {"role", "parts"}
_PLAIN_PART = {"type", "text"}


def _plain_json(tree: dict[str, Any]) -> str | None:
    parts: Sequence[dict[str, Any]] = tree.get("parts", ())
    if tree.keys() != _PLAIN_MESSAGE or len(parts) != 1:
        return None
    return (
        parts[0]["text"] if parts[0].keys() == _PLAIN_PART and parts[0]["type"] == "text" else None
    )


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()
