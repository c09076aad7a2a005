"""What Roark's read API gives back of a chat: its transcript is plain. Pure.

Source: as in ``reading.py``: tool invocations, prompts, the languages of messages, and all of an agent but its id stay
at Roark.
"""

from __future__ import annotations

from llmtee.model import Agent, Conversation, Item, Message, Supplement
from llmtee.vendors.roark.participants import ROARK

_SPOKEN = ("user", "assistant")


def readable(item: Item | Supplement) -> Item | Supplement:
    """A conversation as it can be read again."""
    if not isinstance(item, Conversation):
        return item
    agents = (_known(agent) for agent in item.agents)
    update = {
        "messages": tuple(_said(one) for one in item.messages if one.role in _SPOKEN),
        "tool_runs": (),
        "agents": tuple(agent for agent in agents if agent is not None),
    }
    found = item.model_copy(update=update)
    return item if found == item else found


def _said(message: Message) -> Message:
    agent = None if message.agent is None else _known(message.agent)
    return message.model_copy(update={"agent": agent, "language": None})


def _known(agent: Agent) -> Agent | None:
    """Of an agent: its id."""
    return Agent(ids={ROARK: agent.ids[ROARK]}) if ROARK in agent.ids else None
