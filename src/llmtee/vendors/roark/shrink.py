"""Cuts a chat to size by declared steps: what tools got and gave first, then what was said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmtee import jsontext
from llmtee.spec import Note, WireItem, trim_middle
from llmtee.vendors.roark.settings import Roark

_STEPS = (100_000, 30_000, 10_000, 3_000, 1_000, 300)
"""Characters that a text keeps, tried one after another."""


def shrink(item: WireItem, limit: int, settings: Roark) -> WireItem | None:
    """The chat in at most ``limit`` bytes, or ``None`` if cutting its texts is not enough.

    Every text above a length loses its middle, with a mark that says how much: first in the parameters and results of
    tools, then in messages and prompts as well, each in steps from 100,000 down to 300 characters. Nothing is left
    out, and ids, names, times and properties are untouched.
    """
    if item.size <= limit:
        return item
    for path, cut in (("tool_runs[]", _cut_tools), ("messages[]", _cut_all)):
        for keep in _STEPS:
            body = cut(item.body, keep)
            if len(jsontext.dumps(body)) <= limit:
                reason = f"texts longer than {keep} characters lost their middle, to fit into {limit} bytes"
                # Both steps touch the tools, so the second speaks for both.
                paths = ("tool_runs[]",) if path == "tool_runs[]" else ("tool_runs[]", path)
                notes = tuple(Note(path, "trimmed", reason) for path in paths)
                return replace(item, body=body, notes=(*item.notes, *notes))
    return None


def _cut_tools(body: dict[str, Any], keep: int) -> dict[str, Any]:
    if "toolInvocations" not in body:
        return body
    texts = ("parameters", "result")
    return {
        **body,
        "toolInvocations": [
            {**call, **{key: _cut(call[key], keep) for key in texts}}
            for call in body["toolInvocations"]
        ],
    }


def _cut_all(body: dict[str, Any], keep: int) -> dict[str, Any]:
    out = _cut_tools(body, keep)
    out = {
        **out,
        "messages": [{**said, "text": _cut(said["text"], keep)} for said in body["messages"]],
    }
    if "agent" in body:
        out["agent"] = _cut_prompt(body["agent"], keep)
    if "agents" in body:
        out["agents"] = [_cut_prompt(agent, keep) for agent in body["agents"]]
    return out


def _cut_prompt(agent: dict[str, Any], keep: int) -> dict[str, Any]:
    return {**agent, "prompt": _cut(agent["prompt"], keep)} if "prompt" in agent else agent


def _cut(value: Any, keep: int) -> Any:
    if isinstance(value, str):
        return trim_middle(value, keep)
    if isinstance(value, list):
        return [_cut(entry, keep) for entry in value]
    if isinstance(value, dict):
        return {key: _cut(entry, keep) for key, entry in value.items()}
    return value
