"""Conversations: the transcript, what stands beside it, and who took part."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from llmtee.views._blocks import (
    elapsed,
    fact_line,
    fold,
    fold_json,
    head,
    listed,
    moment,
    money,
    number,
    plural,
    span,
)
from llmtee.views._events import event_card
from llmtee.views._html import Html, element
from llmtee.views._messages import agent, messages, person
from llmtee.views._style import page

if TYPE_CHECKING:
    from llmtee.model import Branch, Conversation, ToolRun

_ABOVE: Final = frozenset(
    {
        *("kind", "session", "messages", "branches", "tool_runs", "title"),
        *("properties", "metrics", "feedback"),
    }
)
_BESIDE: Final = {
    "edited": "a message was rewritten",
    "regenerated": "another answer was asked for",
    "choice": "a further answer that was not taken",
    "reworded": "as the model gave it; the application wrote it back in other words",
    "prompt": "a system prompt that another one replaced",
    "side_call": "asked beside the conversation",
}


def conversation(one: Conversation) -> str:
    """One conversation, as a card."""
    title = one.title or one.session or one.id
    parts = [
        head("conversation", title, _facts(one)),
        messages(one.messages),
        *_beside(one),
    ]
    return page(*parts)


def _facts(one: Conversation) -> list[tuple[str, str | None]]:
    made = [told.generation for told in one.messages if told.generation is not None]
    counted = [it.usage for it in made if it.usage is not None]
    costs: dict[str, Decimal] = {}
    for it in made:
        if it.cost is not None:
            costs[it.cost.currency] = costs.get(it.cost.currency, Decimal()) + it.cost.amount
    agents = filter(None, map(agent, one.agents))
    people = filter(None, map(person, one.people))
    took = elapsed(one.started_at, one.ended_at or one.updated_at)
    return [
        ("session", one.session if one.title else None),
        ("part", str(one.segment + 1) if one.segment else None),
        ("", plural(len(one.messages), "message")),
        ("", plural(len(one.tool_runs), "tool run") if one.tool_runs else None),
        ("", _tokens([it.input_tokens for it in counted], [it.output_tokens for it in counted])),
        ("", " + ".join(filter(None, (money(n, unit) for unit, n in costs.items())))),
        ("agent", ", ".join(agents)),
        ("person", ", ".join(people)),
        ("", moment(one.started_at)),
        ("lasted", span(took)),
    ]


def _tokens(told: list[int | None], heard: list[int | None]) -> str | None:
    given, made = ([n for n in counts if n is not None] for counts in (told, heard))
    if not given and not made:
        return None
    return f"{number(sum(given)) if given else '?'} → {number(sum(made)) if made else '?'} tokens"


def _beside(one: Conversation) -> list[Html]:
    said = {key: value for key, value in one.to_json().items() if key not in _ABOVE}
    parts = [
        fold_json("properties", one.properties, ", ".join(one.properties)),
        fold_json("metrics", one.metrics, ", ".join(one.metrics)),
        fold_json("feedback", one.feedback, ", ".join(one.feedback)),
        fold_json("everything else", said, ", ".join(said)),
    ]
    if one.tool_runs:
        names = ", ".join(dict.fromkeys(filter(None, (run.name for run in one.tool_runs))))
        count = plural(len(one.tool_runs), "tool run")
        parts.insert(0, fold(count, listed(one.tool_runs, _run, "tool runs"), note=names))
    if one.branches:
        reasons = ", ".join(dict.fromkeys(branch.reason for branch in one.branches))
        shown = listed(one.branches, _branch, "branches")
        parts.insert(
            0, fold("beside the transcript", shown, note=f"{len(one.branches)}: {reasons}")
        )
    return parts


def _run(one: ToolRun) -> Html:
    return element("div", event_card(one), class_="lt-message lt-tool")


def _branch(one: Branch) -> Html:
    facts = [
        ("after", one.after),
        ("step of", one.parent),
        ("history", "its own" if one.detached else None),
    ]
    title = f"{one.reason}: {_BESIDE.get(one.reason, 'kept')}"
    by = "" if one.agent is None else agent(one.agent)
    who = fold_json("agent", None if one.agent is None else one.agent.to_json(), by or "")
    return fold(
        title,
        fact_line(facts),
        who,
        messages(one.messages),
        note=plural(len(one.messages), "message"),
    )
