"""Where a piece of work is among the blocks of a Tee, and what they say of everything recorded inside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any

from llmtee.model import Agent, Conversation, Event, Person
from llmtee.model.snapshot import clean_text, to_json_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one block says, with what it inherits from those around it."""

    session: str | None = None
    agent: Agent | None = None
    person: Person | None = None
    parent: str | None = None
    """Id of the event that what is recorded here is a step of."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def inner(self, own: Scope) -> Scope:
        """The scope of a block inside this one: what it names counts, the rest is inherited.

        A parent is not inherited by another session: no vendor has trees that reach from one into another.
        """
        stays = own.session is None or own.session == self.session
        return Scope(
            session=own.session or self.session,
            agent=own.agent or self.agent,
            person=own.person or self.person,
            parent=own.parent or (self.parent if stays else None),
            properties={**self.properties, **own.properties},
            tags=_joined(self.tags, own.tags),
        )

    def fill(self, item: Event | Conversation) -> Event | Conversation:
        """``item`` with what it does not say itself."""
        update: dict[str, Any] = {}
        if item.session is None and self.session is not None:
            update["session"] = self.session
        if self.properties:
            update["properties"] = {**self.properties, **item.properties}
        if self.tags:
            update["tags"] = _joined(self.tags, item.tags)
        if not isinstance(item, Conversation):
            if item.agent is None and self.agent is not None:
                update["agent"] = self.agent
            if item.person is None and self.person is not None:
                update["person"] = self.person
            if item.parent is None and self.parent is not None and self._holds(item.session):
                update["parent"] = self.parent
        return item.model_copy(update=update) if update else item

    def fill_record(self, raw: dict[str, Any]) -> dict[str, Any]:
        """A raw record with what it does not say itself."""
        own = {
            "session": self.session,
            "agent": None if self.agent is None else self.agent.to_json(),
            "person": None if self.person is None else self.person.to_json(),
            "parent": self.parent if self._holds(raw.get("session")) else None,
            "properties": dict(self.properties) or None,
            "tags": list(self.tags) or None,
        }
        filled = {**{key: value for key, value in own.items() if value is not None}, **raw}
        if self.properties and isinstance(raw.get("properties"), dict):
            filled["properties"] = {**self.properties, **raw["properties"]}
        if self.tags and isinstance(raw.get("tags"), list):
            filled["tags"] = list(_joined(self.tags, tuple(map(str, raw["tags"]))))
        return filled

    def _holds(self, session: object) -> bool:
        """Whether an event that says this of its session is in this one."""
        return session is None or session == self.session


class Frame:
    """A block that somebody is in: its scope, and the block around it."""

    __slots__ = ("outer", "owner", "scope")

    def __init__(self, owner: object, scope: Scope, outer: Frame | None) -> None:
        self.owner, self.scope, self.outer = owner, scope, outer


_frame: ContextVar[Frame | None] = ContextVar("llmtee_frame", default=None)
"""The innermost block, of whichever Tee."""


def current(owner: object) -> Scope | None:
    """The scope that ``owner`` is in."""
    frame = _frame.get()
    while frame is not None and frame.owner is not owner:
        frame = frame.outer
    return None if frame is None else frame.scope


def inside(owner: object, own: Scope) -> Frame:
    """A block of ``owner`` within those that the caller is in. Nobody is in it yet: see `enter` and `Place`."""
    around = current(owner)
    return Frame(owner, own if around is None else around.inner(own), _frame.get())


def enter(frame: Frame) -> None:
    """From now on this task or thread, and what it starts, is in a block, until `leave`."""
    _frame.set(frame)


def leave(frame: Frame) -> None:
    """Ends what `enter` began.

    Changes nothing where the block is not: a framework may run the two halves of a generator in two contexts. Blocks
    left open inside, by a generator that nobody finished, end too.
    """
    found = _frame.get()
    while found is not None and found is not frame:
        found = found.outer
    if found is frame:
        _frame.set(frame.outer)


def innermost(frames: Mapping[Frame, object]) -> Frame:
    """That of ``frames`` which this task or thread entered last; the newest where it is in none of them."""
    found = _frame.get()
    while found is not None and found not in frames:
        found = found.outer
    return next(reversed([*frames])) if found is None else found


class Place:
    """Where a piece of work is that may be done bit by bit, while others do theirs in between, as with a generator.

        place = Place()
        with place:
            ...  # a bit of the work; blocks that it enters stay open here, and nowhere else

    Not for two threads at the same time.
    """

    __slots__ = ("_here", "_token")

    def __init__(self, frame: Frame | None = None) -> None:
        """Begins inside ``frame``, or where the caller is."""
        self._here = _frame.get() if frame is None else frame
        self._token: Token[Frame | None] | None = None

    def copy(self) -> Place:
        """Another one that begins here."""
        return Place(self._here)

    def __enter__(self) -> None:
        self._token = _frame.set(self._here)

    def __exit__(self, *_: object) -> None:
        assert self._token is not None  # noqa: S101 - says to the type checker that it was entered
        here = _frame.get()
        try:
            _frame.reset(self._token)
        except ValueError:
            # A coroutine that nobody finished is closed in a context that it never was in: nothing to put back there.
            return
        self._here = here


def make_scope(
    session: object,
    *,
    agent: object,
    agent_version: str | None,
    person: object = None,
    parent: object = None,
    properties: Mapping[str, Any] | None,
    tags: Iterable[str],
) -> Scope:
    """A scope from what a user passes. Ids are often numbers or UUIDs; their text counts."""
    if agent is not None and not isinstance(agent, Agent):
        agent = Agent(name=clean_text(str(agent)))
    if agent_version is not None:
        agent = (agent or Agent()).model_copy(update={"version": clean_text(str(agent_version))})
    if person is not None and not isinstance(person, Person):
        person = Person(id=clean_text(str(person)))
    return Scope(
        session=None if session is None else clean_text(str(session)),
        agent=agent,
        person=person,
        parent=None if parent is None else clean_text(str(parent)),
        properties=to_json_object(properties),
        tags=tuple(clean_text(str(tag)) for tag in tags),
    )


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
