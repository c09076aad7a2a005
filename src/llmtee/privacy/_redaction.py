"""`Redaction`: what must not leave, and what stands in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from llmtee.model import Conversation, Item, ModelCall, Step, ToolRun, conversation_id
from llmtee.privacy._detectors import DETECTORS, GROUPS
from llmtee.privacy._fields import OWN_IDS
from llmtee.privacy._paths import Matcher, in_conversation, parse
from llmtee.privacy._text import FAILED, Action, Texts
from llmtee.privacy._walk import GONE, SHORTEST_KNOWN, Walk

Function = Callable[[str, str], str | None]
"""Takes a text and the path where it stands; gives the text to keep, or ``None`` to drop it."""

MIN_KEY_CHARACTERS = 16
_ONLY_IN_EVENTS = {
    *(name for kind in (ModelCall, ToolRun, Step) for name in kind.model_fields),
} - {
    *("id", "session", "parent", "trace_id", "name", "source", "person", "properties", "metrics"),
    *("feedback", "tags"),
}
_ONLY_IN_MESSAGES = {"input", "choices", "parts", "arguments", "arguments_text", "generation"}


@dataclass(frozen=True, slots=True)
class Redacted:
    """A redacted JSON value, and what was done to it."""

    value: Any
    counts: Mapping[str, int] = field(default_factory=dict)
    """How much was taken out, by detector or by the last name of the path."""
    failures: tuple[str, ...] = ()
    """What failed on the way, such as ``clean_names: KeyError``; the texts concerned are gone. Never holds a value."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What the item says of it: ``redacted: 3 email, 1 card``."""
        found = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        flags = [f"redacted: {found}"] if found else []
        return (*flags, "redaction failed") if self.failures else tuple(flags)


class Redaction(BaseModel):
    """What must not leave, and what stands in its place. Pure, deterministic, idempotent; `apply` never raises.

        Redaction(detect=("email", "card"), paths=("properties.notes", "**.authorization"))
        Redaction(detect=("email",), action="pseudonym", key=os.environ["PSEUDONYM_KEY"])

    Settings take the short form too: ``redact="email,card,**.authorization"`` or a list of such names.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    detect: tuple[str, ...] = ()
    """Detectors by name: ``api_key``, ``bearer``, ``card``, ``email``, ``ip``, ``password``, ``phone``; or ``secrets``,
    ``personal`` and ``all`` for several."""
    paths: tuple[str, ...] = ()
    """Fields whose whole value goes: ``properties.email``, ``input[].parts[].text``, ``**.authorization``."""
    functions: tuple[Function, ...] = ()
    """Your own: each takes a text and its path, and gives the text to keep or ``None`` to drop it."""
    texts: tuple[SecretStr, ...] = ()
    """Texts that go wherever they stand, such as keys that your application holds. A ``Tee`` adds its exporters' keys where
    ``api_key`` is looked for."""
    action: Action = "replace"
    """``replace``: ``[email]``. ``pseudonym``: ``[email:kqvzthrmwbxn]``, the same for the same value. ``drop``: nothing."""
    key: SecretStr | None = None
    """Of the pseudonyms, at least 16 characters: who does not have it cannot test a guess."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            names = [name for name in value if name in DETECTORS or name in GROUPS]
            # What has neither dot, bracket nor star is meant as a detector, not as a field: say so when it is none.
            plain = [name for name in value if name not in names and not set(name) & set(".[*")]
            return {
                "detect": (*names, *plain),
                "paths": tuple(name for name in value if name not in names and name not in plain),
            }
        return value

    @field_validator("detect")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in DETECTORS and name not in GROUPS:
                raise PydanticCustomError(
                    "unknown_detector",
                    "no detector is named {name}; known: {known}; a field is written as a path, "
                    "such as properties.email",
                    {"name": repr(name), "known": ", ".join((*DETECTORS, *GROUPS))},
                )
        found = (one for name in names for one in GROUPS.get(name, (name,)))
        return tuple(sorted(set(found)))

    @field_validator("texts")
    @classmethod
    def _long_enough(cls, texts: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(text.get_secret_value()) < SHORTEST_KNOWN for text in texts):
            raise PydanticCustomError(
                "short_text",
                "a text of fewer than {size} characters would be found in half of all words",
                {"size": SHORTEST_KNOWN},
            )
        return texts

    @field_validator("paths")
    @classmethod
    def _readable(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            try:
                parse(path)
            except ValueError as error:
                raise PydanticCustomError(
                    "field_path", "{reason}", {"reason": str(error)}
                ) from None
        return paths

    @model_validator(mode="after")
    def _consistent(self) -> Redaction:
        size = len(self.key.get_secret_value()) if self.key else 0
        if self.action == "pseudonym" and size < MIN_KEY_CHARACTERS:
            raise PydanticCustomError(
                "pseudonym_key",
                "pseudonyms need key=…, a secret of at least {size} characters",
                {"size": MIN_KEY_CHARACTERS},
            )
        if self.action != "pseudonym":
            for path in self.paths:
                joined = [name for name in OWN_IDS if Matcher([path]).matches(name)]
                if joined:
                    raise PydanticCustomError(
                        "own_id",
                        "{path} leads to {name}, which joins events: without it all of them would be one; "
                        "use action='pseudonym', or a path that does not lead there",
                        {"path": path, "name": joined[0]},
                    )
        return self

    @cached_property
    def _texts(self) -> Texts:
        return Texts(
            self.detect, self.action, self.key.get_secret_value().encode() if self.key else None
        )

    @cached_property
    def _matcher(self) -> Matcher:
        return Matcher(self.paths)

    @cached_property
    def _of_conversations(self) -> Matcher:
        return Matcher(self.paths, also=in_conversation)

    @cached_property
    def needs_events(self) -> bool:
        """Whether a path begins in the canonical model, so that a provider's record must be decoded for it to be found.

        ``properties.email`` and ``request.headers.*`` are found in the record itself.
        """
        return any(_is_canonical(path) for path in self.paths)

    def apply(self, value: Any) -> Redacted:
        """A JSON value (an event's ``to_json``, or a record around a provider's bodies), redacted. Never raises."""
        walk = self._walk(value)
        try:
            result = walk.run(value)
        except Exception as error:  # noqa: BLE001 - nothing may leave that was not looked at
            return Redacted(_nothing_of(value), {}, (f"redaction: {type(error).__name__}",))
        return Redacted({} if result is GONE else result, dict(walk.counts), tuple(walk.failures))

    def record(self, value: Any) -> Redacted:
        """Like `apply`, for an object that has a place for flags and shall say there what was done."""
        done = self.apply(value)
        if not done.flags or not isinstance(done.value, dict):
            return done
        before = done.value.get("flags")
        flags = [*(before if isinstance(before, list) else ()), *done.flags]
        return Redacted(
            {**done.value, "flags": list(dict.fromkeys(flags))}, done.counts, done.failures
        )

    def item(self, item: Item) -> tuple[Item, Redacted]:
        """An event or a conversation, redacted; a conversation whose session became another gets its id anew.

        Raises:
            pydantic.ValidationError: a path dropped what an item cannot be without. Quotes no value.
        """
        done = self.record(item.to_json())
        if not done.counts and not done.failures:
            return item, done
        redacted = type(item).model_validate(done.value)
        if isinstance(item, Conversation) and isinstance(redacted, Conversation):
            session, segment = item.session, item.segment
            if session and redacted.session and item.id == conversation_id(session, segment):
                update = {"id": conversation_id(redacted.session, segment)}
                redacted = redacted.model_copy(update=update)
        return redacted, done

    def supplement(self, value: dict[str, Any]) -> Redacted:
        """Like `record`, for a supplement as JSON: what it is about becomes what `apply` makes of it elsewhere."""
        joined = {key: value[key] for key in ("target", "message") if key in value}
        done = self.record({key: value[key] for key in value if key not in joined})
        if not isinstance(done.value, dict):
            return done
        kind = value.get("target_type", "event")
        for key, told in joined.items():
            joined[key] = self._renamed(told, "message" if key == "message" else kind)
        return Redacted({**done.value, **joined}, done.counts, done.failures)

    def session(self, session: str) -> str:
        """The name of a session as `apply` leaves it in the events of the session."""
        return str(self.apply({"session": session}).value.get("session", FAILED))

    def _renamed(self, told: Any, kind: str) -> Any:
        """What the id of an event or a message, or the name of a session, becomes where it stands by itself."""
        if kind == "session":
            return self.session(told)
        if kind == "event":
            return self.apply({"id": told}).value.get("id", told)
        message = {"kind": "conversation", "messages": [{"id": told}]}
        found = self.apply(message).value.get("messages") or [{}]
        return found[0].get("id", told)

    def knowing(self, secrets: tuple[str, ...]) -> Redaction:
        """This, with more ``texts``."""
        texts = (*self.texts, *(SecretStr(secret) for secret in secrets))
        return self.model_copy(update={"texts": texts})

    def _walk(self, value: Any) -> Walk:
        in_one = isinstance(value, dict) and value.get("kind") == "conversation"
        return Walk(
            self._texts,
            self._of_conversations if in_one else self._matcher,
            functions=self.functions,
            detect=frozenset(self.detect),
            action=self.action,
            known={text.get_secret_value(): "secret" for text in self.texts},
        )


def _is_canonical(path: str) -> bool:
    """Whether a path leads to what only an event has: a provider's record has other words for it."""
    steps = [str(step) for step in parse(path)]
    if steps[0] in ("*", "**"):
        return not _ONLY_IN_MESSAGES.isdisjoint(steps)
    return steps[0] in _ONLY_IN_EVENTS


def _nothing_of(value: Any) -> dict[str, Any]:
    """What is left of a value that could not be redacted: that it was there."""
    if isinstance(value, dict) and "kind" in value:
        return {"kind": "step", "name": FAILED}
    return {"error": FAILED}
