"""What Roark's API gives back of a conversation that it keeps.

Source: the public pages on ``GET /v1/chat`` and ``GET /v1/chat/{id}/transcript``, November 2026: a transcript has roles,
texts and times, and agents come by Roark's own ids alone.
"""

from __future__ import annotations

from typing import Any

from llmtee.model import Agent, Conversation, Item, Message, Supplement
from llmtee.vendors.roark.settings import Roark


def readable(item: Item | Supplement, settings: Roark) -> Item | Supplement | None:
    """The conversation without prompts, tool runs, languages, and all of agents but their versions."""
    if not isinstance(item, Conversation):
        return item
    agents = [_without_name(agent) for agent in item.agents]
    known = [agent for agent in agents if agent is not None]
    found = item.model_copy(
        update={
            "messages": tuple(
                _message(message, several=len(item.people) > 1)
                for message in item.messages
                if message.role != "system"  # it stands in its agent's prompt
            ),
            "tool_runs": (),
            # By their places alone: one that has nothing left cannot be told from the others.
            "agents": tuple(known) if len(known) == len(agents) else (),
            "extra": _extra(item.extra),
        }
    )
    return item if found == item else found


def _message(message: Message, *, several: bool) -> Message:
    update: dict[str, Any] = {"language": None, "extra": {}}
    if message.agent is not None:
        update["agent"] = _without_name(message.agent)
    if several:  # a transcript does not say which customer spoke
        update["person"] = None
    return message.model_copy(update=update)


def _without_name(agent: Agent) -> Agent | None:
    """The version, which stands in a property; ``None`` where there is none."""
    left = Agent(version=agent.version)
    return left if left != Agent() else None


def _extra(extra: Any) -> dict[str, Any]:
    """What stands in properties, and not how the body was written."""
    ours = extra.get("roark")
    kept = {"totals": ours["totals"]} if isinstance(ours, dict) and "totals" in ours else {}
    others = {key: value for key, value in extra.items() if key != "roark"}
    return others | ({"roark": kept} if kept else {})
