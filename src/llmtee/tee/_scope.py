"""What `Tee.session` says of everything recorded inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from llmtee.model import Agent, Conversation, Event, Person
from llmtee.model.snapshot import to_json_object, to_json_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One session, with what it inherits from those around it."""

    session: str | None = None
    agent: Agent | None = None
    person: Person | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def inner(self, own: Scope) -> Scope:
        """The scope of a session inside this one: what it names counts, the rest is inherited."""
        return Scope(
            session=own.session or self.session,
            agent=own.agent or self.agent,
            person=own.person or self.person,
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
        return item.model_copy(update=update) if update else item

    def fill_record(self, raw: dict[str, Any]) -> dict[str, Any]:
        """A raw record with what it does not say itself."""
        own = {
            "session": self.session,
            "agent": None if self.agent is None else self.agent.to_json(),
            "person": None if self.person is None else self.person.to_json(),
            "properties": dict(self.properties) or None,
            "tags": list(self.tags) or None,
        }
        filled = {**{key: value for key, value in own.items() if value is not None}, **raw}
        if self.properties and isinstance(raw.get("properties"), dict):
            filled["properties"] = {**self.properties, **raw["properties"]}
        if self.tags and isinstance(raw.get("tags"), list):
            filled["tags"] = list(_joined(self.tags, tuple(map(str, raw["tags"]))))
        return filled


_scopes: ContextVar[Mapping[int, Scope]] = ContextVar("llmtee_scopes")
"""The current scope of each Tee, by its `id`."""


def current(owner: object) -> Scope | None:
    """The scope that ``owner`` is in."""
    return _scopes.get({}).get(id(owner))


@contextmanager
def entered(owner: object, own: Scope) -> Iterator[None]:
    """Inside the block, ``owner`` is in a scope, in this task or thread and in what it starts."""
    outer = _scopes.get({})
    scope = outer[id(owner)].inner(own) if id(owner) in outer else own
    token = _scopes.set({**outer, id(owner): scope})
    try:
        yield
    finally:
        try:
            _scopes.reset(token)
        except ValueError:
            # A framework may run the two halves of a generator in two contexts; that must not hurt the application.
            _scopes.set(outer)


def make_scope(
    session: object,
    *,
    agent: str | Agent | None,
    agent_version: str | None,
    person: str | Person | None,
    properties: Mapping[str, Any] | None,
    tags: tuple[str, ...],
) -> Scope:
    """A scope from what a user passes."""
    if isinstance(agent, str):
        agent = Agent(name=agent)
    if agent_version is not None:
        agent = (agent or Agent()).model_copy(update={"version": str(agent_version)})
    return Scope(
        session=None if session is None else str(to_json_value(str(session))),
        agent=agent,
        person=Person(id=person) if isinstance(person, str) else person,
        properties=to_json_object(properties),
        tags=tuple(str(tag) for tag in tags),
    )


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
