"""What a chat's body and the answers of the read API share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.jsonfields import as_list, as_object, text_or_none
from llmtee.model import Agent, Person, times
from llmtee.vendors.roark import participants, properties


def read_time(raw: Mapping[str, Any], key: str, path: str) -> dt.datetime | None:
    """The time under ``key``.

    Args:
        raw: the object that has it.
        key: the field.
        path: what stands before the key in its JSON path, the dot included.

    Raises:
        InputError: it is not a time.
    """
    try:
        return times.parse_time(raw.get(key))
    except ValueError as error:
        raise InputError(str(error), path=path + key) from error


class Frame:
    """A chat apart from its messages: properties, participants, times, ids."""

    def __init__(self, raw: Mapping[str, Any], path: str = "") -> None:
        self.raw, self.path = raw, path
        own = raw.get("properties")
        self.told = properties.tell_apart(as_object(own, f"{path}properties") if own else {})
        self.agents, self.forms = self._participants("agent", "agents")
        people, forms = self._participants("customer", "customers")
        self.forms |= forms
        self.people = self._people(people)
        self._tell_agents()

    def fields(self) -> dict[str, Any]:
        """Fields of the `Conversation`, apart from id, messages, tool runs and extra."""
        fields = properties.read_conversation(self.told.words)
        trace_id = text_or_none(self.raw.get("traceId"), f"{self.path}traceId")
        if trace_id is not None:
            fields.setdefault("trace_id", trace_id)
        return {
            **fields,
            "agents": tuple(self.agents),
            "people": tuple(self.people),
            "started_at": read_time(self.raw, "startTimestamp", self.path),
            "ended_at": read_time(self.raw, "endTimestamp", self.path),
            "properties": self.told.own,
        }

    def own_id(self) -> str | None:
        """The id that the conversation had before it came to Roark."""
        words = self.told.words
        for value in (
            words.get("conversationId"),
            self.raw.get("externalId"),
            words.get("externalId"),
        ):
            if isinstance(value, str) and value:
                return value
        return None

    def unmodelled(self) -> dict[str, Any]:
        """What `render` needs to write the same again: forms and totals."""
        count = {"agent": len(self.agents), "customer": len(self.people)}
        usual = {
            **participants.default_form("agent", "agents", count["agent"]),
            **participants.default_form("customer", "customers", count["customer"]),
        }
        totals = properties.read_totals(self.told.words)
        extra: dict[str, Any] = {"totals": totals} if totals else {}
        return {**extra, "forms": self.forms} if self.forms != usual else extra

    def agent(self, reference: Any, path: str) -> Agent | None:
        """The agent that a message or an invocation names; the only one where it names none."""
        if reference is None:
            return self.agents[0] if len(self.agents) == 1 else None
        named = participants.decode_agent(as_object(reference, path), path)
        place = participants.position(named, self.agents)
        return named if place is None else participants.merged(self.agents[place], named)

    def person(self, reference: Any, path: str) -> Person | None:
        """The customer that a message names; the only one where it names none."""
        if reference is None:
            return self.people[0] if len(self.people) == 1 else None
        named = participants.decode_customer(as_object(reference, path))
        customer = participants.encode_customer(named)
        same = (one for one in self.people if participants.encode_customer(one) == customer)
        return named if customer is None else next(same, named)

    def _participants(self, one: str, many: str) -> tuple[list[Any], dict[str, Any]]:
        """The participants of both forms, and where each form has them."""
        found: list[Any] = []
        forms: dict[str, Any] = {}
        if self.raw.get(one) is not None:
            forms[one] = self._place(self.raw[one], one, found)
        entries = as_list(self.raw.get(many), f"{self.path}{many}")
        if entries:
            forms[many] = [self._place(raw, f"{many}[{i}]", found) for i, raw in enumerate(entries)]
        return found, forms

    def _place(self, raw: Any, path: str, found: list[Any]) -> int:
        entry = as_object(raw, f"{self.path}{path}")
        if path.startswith("agent"):
            agent = participants.decode_agent(entry, f"{self.path}{path}")
            place = participants.position(agent, found)
            if place is not None:
                found[place] = participants.merged(found[place], agent)
                return place
            found.append(agent)
        else:
            person = participants.decode_customer(entry)
            if person in found:
                return found.index(person)
            found.append(person)
        return len(found) - 1

    def _people(self, people: list[Person]) -> list[Person]:
        more = properties.family(self.told.words, properties.PERSON)
        if not more:
            return people
        first, *others = people or [Person()]
        return [first.model_copy(update={"properties": {**first.properties, **more}}), *others]

    def _tell_agents(self) -> None:
        """Puts names and versions that were parked back to their agents."""
        for word, field in {"agentName": "name", "agentVersion": "version"}.items():
            values = properties.split(self.told.words.get(word))
            if len(values) == len(self.agents):
                self.agents = [
                    agent.model_copy(update={field: value}) if value else agent
                    for agent, value in zip(self.agents, values, strict=True)
                ]
