"""Agents and customers: who they are at Roark, and which of them spoke."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from llmtee.jsonfields import rest, text_or_none
from llmtee.model import Agent, Conversation, Person
from llmtee.model.ids import is_uuid
from llmtee.spec import Note
from llmtee.vendors.roark import wire

ROARK = "roark"
"""Key in ``Agent.ids`` for ``roarkId``."""
CUSTOM = "roark.custom"
"""Key in ``Agent.ids`` for ``customId``."""
PHONE = "phoneNumberE164"
"""Property of a `Person` for the number under which Roark knows them."""


# ── agents ──────────────────────────────────────────────────────────────────────────────────────────────────────


def roark_id(agent: Agent) -> str | None:
    """The agent's id at Roark, where it is one."""
    found = agent.ids.get(ROARK)
    return found if found is not None and is_uuid(found) else None


def same_agent(one: Agent, other: Agent) -> bool:
    """Whether Roark would take both for one: by its own id, else by the custom id, else by the name."""
    for get in (roark_id, lambda agent: agent.ids.get(CUSTOM), lambda agent: agent.name):
        left, right = get(one), get(other)
        if left and right:
            return left == right
    return False


def merged(one: Agent, other: Agent) -> Agent:
    """All that is said of an agent in two places; the first place wins."""
    return one.model_copy(
        update={
            "name": one.name or other.name,
            "version": one.version or other.version,
            "description": one.description or other.description,
            "ids": {**other.ids, **one.ids},
            "extra": {**other.extra, **one.extra},
        }
    )


def distinct_agents(agents: Iterable[Agent]) -> list[Agent]:
    """Each agent once, in order of appearance."""
    found: list[Agent] = []
    for agent in agents:
        place = position(agent, found)
        if place is None:
            found.append(agent)
        else:
            found[place] = merged(found[place], agent)
    return found


def position(agent: Agent, agents: Sequence[Agent]) -> int | None:
    """Where in ``agents`` an agent stands."""
    return next((i for i, known in enumerate(agents) if same_agent(known, agent)), None)


def agents_of(conversation: Conversation, default: str, notes: list[Note]) -> list[Agent]:
    """Everybody who spoke or acted as an agent; one that nothing identifies goes by ``default``. At least one."""
    mentioned = [
        *conversation.agents,
        *(message.agent for message in conversation.messages),
        *(run.agent for run in conversation.tool_runs),
    ]
    agents = [agent for agent in mentioned if agent is not None] or [Agent()]
    if not all(map(_identified, agents)):
        reason = f"Roark asks for an agent's name or id; the setting agent says {default!r}"
        notes.append(Note("agents", "changed", reason))
    return distinct_agents(
        agent if _identified(agent) else agent.model_copy(update={"name": default})
        for agent in agents
    )


def _identified(agent: Agent) -> bool:
    return bool(agent.name or roark_id(agent) or agent.ids.get(CUSTOM))


def encode_agent(agent: Agent, *, alone: bool) -> wire.WireAgent:
    """An agent as Roark identifies it.

    Args:
        agent: with a name or an id.
        alone: whether it is the only one. Messages can refer to an agent by an id alone, so one of several that has
            only a name gets the name as its ``customId``.
    """
    out: wire.WireAgent = {}
    if (own := roark_id(agent)) is not None:
        out["roarkId"] = own
    else:
        custom = agent.ids.get(CUSTOM) or (None if alone else agent.name)
        if agent.name:
            out["name"] = agent.name
        if custom:
            out["customId"] = custom
        if agent.name and agent.description:
            out["description"] = agent.description
    ours = agent.extra.get(ROARK)
    if isinstance(ours, Mapping) and "endpoint" in ours:
        out["endpoint"] = ours["endpoint"]
    return out


def decode_agent(raw: Mapping[str, Any], path: str) -> Agent:
    """The way back of `encode_agent`, without the prompt; reads references as well.

    Raises:
        InputError: an id or a name is not text.
    """
    ids = {
        ROARK: text_or_none(raw.get("roarkId", raw.get("id")), f"{path}.roarkId"),
        CUSTOM: text_or_none(raw.get("customId"), f"{path}.customId"),
    }
    extra = rest(raw, "roarkId", "id", "customId", "name", "description", "prompt")
    return Agent(
        name=text_or_none(raw.get("name"), f"{path}.name"),
        description=text_or_none(raw.get("description"), f"{path}.description"),
        ids={system: own for system, own in ids.items() if own is not None},
        extra={ROARK: extra} if extra else {},
    )


def agent_reference(agent: Agent) -> wire.AgentReference:
    """What a message says to name the agent that spoke."""
    own = roark_id(agent)
    if own is not None:
        return {"roarkId": own}
    return {"customId": agent.ids.get(CUSTOM) or agent.name or ""}


def is_agent_reference(value: Any) -> TypeGuard[wire.AgentReference]:
    """Whether Roark would take ``value`` as the agent of a message."""
    if not isinstance(value, Mapping) or not value or not set(value) <= {"roarkId", "customId"}:
        return False
    texts = all(isinstance(text, str) and text for text in value.values())
    return texts and is_uuid(value.get("roarkId", "00000000-0000-0000-0000-000000000000"))


# ── customers ───────────────────────────────────────────────────────────────────────────────────────────────────


def encode_customer(person: Person) -> wire.WireCustomer | None:
    """A person by phone number and label; ``None`` where neither is known. The label is the application's id."""
    own = person.id or None
    phone = person.properties.get(PHONE)
    if isinstance(phone, str) and wire.PHONE.fullmatch(phone):
        return {"phoneNumberE164": phone, "label": own}
    if own is not None and wire.PHONE.fullmatch(own):
        return {"phoneNumberE164": own, "label": None}
    name = person.properties.get("name")
    label = own or (name if isinstance(name, str) else None)
    return {"phoneNumberE164": None, "label": label} if label else None


def decode_customer(raw: Mapping[str, Any]) -> Person:
    """The way back of `encode_customer`."""
    phone, label = raw.get(PHONE), raw.get("label")
    if isinstance(label, str):
        return Person(id=label, properties={PHONE: phone} if isinstance(phone, str) else {})
    if not isinstance(phone, str):
        return Person()
    return Person(id=phone) if wire.PHONE.fullmatch(phone) else Person(properties={PHONE: phone})


def is_customer_reference(value: Any) -> TypeGuard[wire.WireCustomer]:
    """Whether Roark would take ``value`` as the customer of a message."""
    if not isinstance(value, Mapping) or not value or not set(value) <= {PHONE, "label"}:
        return False
    phone, label = value.get(PHONE), value.get("label")
    known = phone is None or (isinstance(phone, str) and wire.PHONE.fullmatch(phone))
    return bool(known) and (label is None or isinstance(label, str))


def people_of(conversation: Conversation) -> list[Person]:
    """Everybody who took part as a customer and of whom Roark can know something, once each."""
    people = [*conversation.people, *(message.person for message in conversation.messages)]
    found: dict[str, Person] = {}
    for person in people:
        customer = None if person is None else encode_customer(person)
        if person is not None and customer is not None:
            found.setdefault(str(customer), person)
    return list(found.values())


# ── one or several ──────────────────────────────────────────────────────────────────────────────────────────────


def in_form(one: str, many: str, entries: Sequence[Any], forms: Any) -> dict[str, Any]:
    """The singular field for one entry, the plural for several; or as the chat that was read had them.

    Args:
        one: name of the singular field: ``agent``.
        many: name of the plural field: ``agents``.
        entries: what goes into them.
        forms: places in ``entries`` by field name, as `default_form` writes them.
    """
    wanted = forms if isinstance(forms, Mapping) else {}
    single, several = wanted.get(one), wanted.get(many, [])
    places = [] if single is None else [single]
    places += several if isinstance(several, list) else []
    whole = all(isinstance(place, int) for place in places)
    if not whole or set(places) != set(range(len(entries))):
        wanted = default_form(one, many, len(entries))
        single, several = wanted.get(one), wanted.get(many, [])
    found: dict[str, Any] = {} if single is None else {one: entries[single]}
    return {**found, many: [entries[place] for place in several]} if several else found


def default_form(one: str, many: str, count: int) -> dict[str, Any]:
    """The form of so many entries, where none was read."""
    if count > 1:
        return {many: list(range(count))}
    return {one: 0} if count else {}
