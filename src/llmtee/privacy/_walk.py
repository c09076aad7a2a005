"""Redaction of a JSON value: an event, a conversation, or a record around a provider's own bodies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llmtee import jsontext
from llmtee.privacy._detectors import kind_of_key
from llmtee.privacy._fields import PLAIN, REQUIRED, STRINGS, TAGS, Kind, kind_of
from llmtee.privacy._paths import Matcher, States
from llmtee.privacy._text import FAILED, Action, Texts, is_blob, is_token

GONE: Any = object()
"""In place of a value that is dropped."""

SHORTEST_KNOWN = 6
"""Characters of a text found by a path that is then looked for everywhere; a shorter one is a word like any other."""
_SHORTEST_SECRET = 12
_NESTED = 3
_CARD_DIGITS = 10**12


class Walk:
    """One walk over one value. Use it once."""

    def __init__(
        self,
        texts: Texts,
        matcher: Matcher,
        *,
        functions: Iterable[Callable[[str, str], str | None]],
        detect: frozenset[str],
        action: Action,
        known: Mapping[str, str],
    ) -> None:
        self._texts, self._matcher, self._detect, self._action = texts, matcher, detect, action
        self._functions = tuple(functions)
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._known = dict(known)
        self._nested = 0

    def run(self, value: Any) -> Any:
        """The redacted copy; the value itself is not touched."""
        self._collect(value, self._matcher.start, "node", None)
        # The longest first, so that a text within another does not cut it up.
        self._known = dict(sorted(self._known.items(), key=lambda item: -len(item[0])))
        return self._value(value, self._matcher.start, "node", "", None)

    # -- what has to be found everywhere ----------------------------------------------------------

    def _collect(self, value: Any, states: States, kind: Kind, label: str | None) -> None:
        """Takes note of texts that a path, or the name of their key, tells to be secret."""
        label = label or self._matcher.hit(states)
        if isinstance(value, str):
            if label and kind != "fixed" and len(value) >= SHORTEST_KNOWN and not is_token(value):
                self._known.setdefault(value, label)
            elif states and not label and value[:1] in ("{", "["):
                inner = self._parsed(value)
                if inner is not None:
                    self._collect(inner, states, "free", None)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                self._collect(item, self._matcher.step(states, place), kind, label)
        elif isinstance(value, dict):
            for key, item in value.items():
                inner_kind = _kind_inside(kind, key, value)
                inner_states = self._inside(states, key, item, inner_kind)
                self._collect(item, inner_states, inner_kind, label)
                if inner_kind in ("free", "text") and isinstance(item, str):
                    self._collect_secret(key, item)

    def _collect_secret(self, key: str, text: str) -> None:
        secret = kind_of_key(key)
        if secret in self._detect and len(text) >= _SHORTEST_SECRET and not is_token(text):
            # "Bearer abc" may stand elsewhere without its first word.
            for part in (text, text.rpartition(" ")[2]):
                if len(part) >= _SHORTEST_SECRET and any(char.isdigit() for char in part):
                    self._known.setdefault(part, secret or "")

    def _inside(self, states: States, key: str, item: Any, kind: Kind) -> States:
        if not states:
            return states
        inner = self._matcher.step(states, key.lower())
        if key == "arguments_text":  # one field in two forms
            inner |= self._matcher.step(states, "arguments")
        if key in STRINGS and kind in ("node", "id") and isinstance(item, str):
            inner |= self._matcher.step(inner, STRINGS[key])
        if key == "agent_version":
            inner |= self._matcher.step(self._matcher.step(states, "agent"), "version")
        return inner

    # -- the walk ---------------------------------------------------------------------------------

    def _value(self, value: Any, states: States, kind: Kind, path: str, label: str | None) -> Any:
        """The redacted value.

        Args:
            value: JSON.
            states: how far the paths have matched.
            kind: what the value is; of an entry of a list: what the list is.
            path: where it stands, for functions and failures.
            label: of the path that led to something around the value.
        """
        if states and label is None:
            label = self._matcher.hit(states)
            if label is not None and self._action == "drop":
                self.counts[label] += 1
                return GONE
        if isinstance(value, str):
            return self._string(value, states, kind, path, label)
        if isinstance(value, list):
            items = (
                self._value(
                    item, self._matcher.step(states, place), kind, f"{path}[{place}]", label
                )
                for place, item in enumerate(value)
            )
            return [item for item in items if item is not GONE]
        if isinstance(value, dict):
            return self._object(value, states, kind, path, label)
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value, kind, label)

    def _object(
        self, value: dict[str, Any], states: States, kind: Kind, path: str, label: str | None
    ) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            inner_kind = _kind_inside(kind, key, value)
            where = f"{path}.{key}" if path else key
            if inner_kind == "fixed" and key in TAGS:
                result[key] = item
                continue
            if item == _instead(key, item, kind):  # dropped before, or never there
                result[key] = item
                continue
            inner = self._inside(states, key, item, inner_kind)
            redacted = self._named(key, item, inner, inner_kind, where, label)
            if redacted is GONE:
                redacted = _instead(key, item, kind)
                if redacted is GONE:
                    continue
            name = self._texts.clean(key, self._known, self.counts) if kind == "free" else key
            result[_free(name, result)] = redacted
        return result

    def _named(
        self, key: str, item: Any, states: States, kind: Kind, path: str, label: str | None
    ) -> Any:
        if kind in ("free", "text") and isinstance(item, str) and item and label is None:
            secret = kind_of_key(key)
            if secret in self._detect and self._matcher.hit(states) is None:
                label = secret
                if self._action == "drop" and not is_token(item):
                    self.counts[label or ""] += 1
                    return GONE
        if (
            kind == "free"
            and key in PLAIN
            and label is None
            and not states
            and isinstance(item, str)
        ):
            return self._texts.clean(item, {}, self.counts)
        return self._value(item, states, kind, path, label)

    def _string(self, text: str, states: States, kind: Kind, path: str, label: str | None) -> Any:
        if label is not None:
            if kind == "fixed":
                self.counts[label] += 1
                return GONE
            if not text or is_token(text):
                return text
            self.counts[label] += 1
            own = kind == "id" and label == "id"
            return self._texts.uuid(text) if own else self._texts.token(label, text)
        if kind in ("fixed", "id", "ids"):
            return text
        for function in self._functions:
            if is_blob(text):
                break
            changed = self._asked(function, text, path)
            if changed is GONE:
                return GONE
            text = changed
        if states and text[:1] in ("{", "[") and self._nested < _NESTED:
            text = self._json_text(text, states, path)
        return self._texts.clean(text, self._known, self.counts)

    def _json_text(self, text: str, states: States, path: str) -> str:
        """JSON in a string, into which a path may lead; it is written anew only where one did."""
        inner = self._parsed(text)
        if inner is None:
            return text
        self._nested += 1
        functions, self._functions = self._functions, ()  # they saw the whole text
        before = self.counts.total()
        redacted = self._value(inner, states, "free", path, None)
        self._nested -= 1
        self._functions = functions
        if self.counts.total() == before:
            return text
        return jsontext.dumps(redacted).decode()

    @staticmethod
    def _parsed(text: str) -> Any:
        try:
            inner = jsontext.loads(text)
        except ValueError:
            return None
        return inner if isinstance(inner, dict | list) else None

    def _number(self, value: Any, kind: Kind, label: str | None) -> Any:
        if label is not None:
            self.counts[label] += 1
            # A number has no place for a text where the model wants a number.
            return self._texts.token(label, str(value)) or GONE if kind == "free" else GONE
        if kind == "free" and isinstance(value, int) and value >= _CARD_DIGITS:
            text = str(value)
            clean = self._texts.clean(text, self._known, self.counts)
            return value if clean == text else clean or GONE
        return value

    def _asked(self, function: Callable[[str, str], str | None], text: str, path: str) -> Any:
        """What a user's function makes of a text; a failure must not let the text through."""
        try:
            result = function(text, path)
        except Exception as error:  # noqa: BLE001 - it may do anything; only its type is told, its text may hold the value
            return self._failed(function, type(error).__name__)
        if result is None:
            self.counts["function"] += 1
            return GONE
        if not isinstance(result, str):
            return self._failed(function, f"returned {type(result).__name__}")
        self.counts["function"] += result != text
        return str(result)

    def _failed(self, function: Any, what: str) -> str:
        name = getattr(function, "__qualname__", type(function).__name__)
        self.failures.append(f"{name}: {what}")
        return FAILED


def _kind_inside(kind: Kind, key: str, owner: dict[str, Any]) -> Kind:
    """The kind of a field by that of the object that it stands in."""
    return kind_of(key, owner) if kind == "node" else kind


def _instead(key: str, item: Any, kind: Kind) -> Any:
    """What stands where a field was dropped that its owner cannot be without."""
    if kind != "node" or key not in REQUIRED:
        return GONE
    return {"role": item.get("role", "assistant")} if isinstance(item, dict) else ""


def _free(name: str, taken: dict[str, Any]) -> str:
    """``name``, or with a number where another key became the same."""
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"
