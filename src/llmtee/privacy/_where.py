"""`Where`: which items an exporter is given, and the sample by session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from llmtee.model import Conversation, Item, ModelCall, ToolResultPart

Predicate: TypeAlias = Callable[[Item], bool]
"""Whether an event or a conversation is for the exporter."""

_SHORT = {
    "agent": "agents",
    "kind": "kinds",
    "person": "people",
    "session": "sessions",
    "tag": "tags",
}


class Where(BaseModel):
    """A filter as a value: an item has to meet every criterion that is given, by one of its words.

        Where(agents=("support",), tags=("eu", "uk"))

    In files and commands also ``"agent=support tag=eu tag=uk errors"``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    sessions: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    """Names of agents."""
    people: tuple[str, ...] = ()
    """Ids of people."""
    tags: tuple[str, ...] = ()
    kinds: tuple[Literal["model_call", "tool_run", "step", "conversation"], ...] = ()
    """An exporter that takes conversations is asked about conversations, the others about events."""
    errors_only: bool = False
    """Only items in which something failed."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found: dict[str, Any] = {}
        for word in value.replace(",", " ").split():
            name, sign, wanted = word.partition("=")
            if name == "errors" and not sign:
                found["errors_only"] = True
            elif name in _SHORT and wanted:
                found.setdefault(_SHORT[name], []).append(wanted)
            else:
                raise PydanticCustomError(
                    "where",
                    "{word} is no filter; known: {known}=…, and errors",
                    {"word": repr(word), "known": "=…, ".join(_SHORT)},
                )
        return found

    def __call__(self, item: Item) -> bool:
        """Whether the item meets every criterion."""
        wanted_and_there = (
            (self.sessions, (item.session,)),
            (self.agents, (agent.name for agent in _agents(item))),
            (self.people, (person.id for person in _people(item))),
            (self.tags, item.tags),
            (self.kinds, (item.kind,)),
        )
        if any(wanted and not set(wanted) & set(there) for wanted, there in wanted_and_there):
            return False
        return not self.errors_only or has_error(item)


def declined(item: Item, where: Predicate | None, sample: float) -> str | None:
    """Why an item is not for an exporter; ``None`` when it is.

    A predicate that raises declines: what nobody let through does not leave. Its error's text is not told, since it
    may hold what the item holds.
    """
    if where is not None:
        try:
            wanted = bool(where(item))
        except Exception as error:  # noqa: BLE001 - it is somebody's own, and may do anything
            return f"filtered out: where raised {type(error).__name__}"
        if not wanted:
            return "filtered out: where"
    if sample < 1 and not in_sample(item, sample):
        return f"filtered out: not in the sample of {sample:g}"
    return None


def in_sample(item: Item, sample: float) -> bool:
    """Whether an item's session is in the sample, or something failed in the item.

    Goes by a hash of the session's name: the same in every process and at every exporter, and a smaller sample is a
    part of a larger one. An item without a session is a session of its own.
    """
    if has_error(item):
        return True
    digest = sha256((item.session or item.id).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8]) < sample * 2**64


def has_error(item: Item) -> bool:
    """Whether something failed: the event itself, or anything in the conversation as it stands."""
    if not isinstance(item, Conversation):
        failed = isinstance(item, ModelCall) and any(
            choice.finish_reason == "error" for choice in item.choices
        )
        return item.error is not None or failed
    return any(run.error is not None for run in item.tool_runs) or any(_failures(item))


def _failures(conversation: Conversation) -> Iterator[bool]:
    for message in conversation.messages:
        made = message.generation
        yield made is not None and (made.error is not None or made.finish_reason == "error")
        yield any(
            isinstance(part, ToolResultPart) and part.is_error is True for part in message.parts
        )


def _agents(item: Item) -> Iterator[Any]:
    if isinstance(item, Conversation):
        yield from item.agents
        yield from (message.agent for message in item.messages if message.agent)
    elif item.agent:
        yield item.agent


def _people(item: Item) -> Iterator[Any]:
    if isinstance(item, Conversation):
        yield from item.people
        yield from (message.person for message in item.messages if message.person)
    elif item.person:
        yield item.person
