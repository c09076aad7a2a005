"""Items with an attack in every text, and texts that attack whatever shows them."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from llmtee.model import Conversation, ModelCall, Step, ToolRun

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
        "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
    )
).decode()

MARK = "document.documentElement.setAttribute('data-executed','yes')"


def attacks(address: str) -> list[str]:
    """What must neither run nor fetch anything from ``address``. Each marks the page, or asks the address for something."""
    return [
        f"<script>{MARK}</script>",
        f"</style></script></title></textarea><script>{MARK}</script>",
        f'"><img src="{address}/a" onerror="{MARK}">',
        f"'><img src={address}/b onerror={MARK}>",
        f'" onmouseover="{MARK}" autofocus onfocus="{MARK}" x="',
        f'</text></svg><svg onload="{MARK}"><script>{MARK}</script>',
        f'</summary></details></div><details open ontoggle="{MARK}">',
        f'<a href="javascript:{MARK}">here</a> javascript:{MARK}',
        f'<iframe srcdoc="<script>parent.{MARK}</script>"></iframe>',
        f'<iframe src="javascript:parent.{MARK}"></iframe>',
        f"<style>@import url({address}/c);*{{background:url({address}/d)}}</style>",
        f'<link rel=stylesheet href="{address}/e"><base href="{address}/">',
        f'<meta http-equiv=refresh content="0;url={address}/f">',
        f'<object data="{address}/g"></object><embed src="{address}/h">',
        f"<video autoplay src={address}/i onerror={MARK}><source src={address}/j>",
        f"--><!--><script>{MARK}</script>]]><![CDATA[<plaintext>",
        f"<math><mtext><table><mglyph><style><!--</style><img src onerror={MARK}>",
        f"\x00<scr\x00ipt>{MARK}</scr\x00ipt>\x1b]0;title\x07\x08\x7f\x9b\u202e\u2066\u200b\ufeff\U000e0041",
        f"&lt;script&gt;{MARK}&lt;/script&gt;&#60;script&#62;\r\n\u2028`${{{MARK}}}`$\\frac$",
    ]


_SHAPE = {"kind", "type", "media", "mime", "data", "amount", "dialect"}
"""Fields that take certain words only."""


def filled(item: Any, texts: Iterator[str]) -> Any:
    """The JSON of an item with another text in each of its fields, and in the names of its free ones."""

    def fill(value: Any, field: str = "", free: bool = False) -> Any:
        if isinstance(value, str):
            return value if (field in _SHAPE or field.endswith("_at")) and not free else next(texts)
        if isinstance(value, list):
            return [fill(one, field, free) for one in value]
        if not isinstance(value, Mapping):
            return value
        free_now = free or field in _FREE
        return {
            next(texts) if free_now else key: fill(one, key, free_now) for key, one in value.items()
        }

    return fill(item)


_FREE = {
    *("properties", "metrics", "feedback", "extra", "parameters", "arguments", "result", "ids"),
    *("source_ids", "inputs", "outputs", "config", "variables", "details", "raw", "request"),
}

_PERSON = {"id": "p", "properties": {"a": "b"}, "ids": {"a": "b"}}
_AGENT = {"name": "a", "version": "v", "description": "d", "ids": {"a": "b"}}
_ERROR = {"message": "m", "type": "t", "code": "c", "details": {"a": ["b"]}}
_PARTS = [
    {"type": "text", "text": "t", "extra": {"a": {"b": "c"}}},
    {"type": "reasoning", "text": "t", "summary": ["s"], "signature": "s", "encrypted": "e"},
    {"type": "media", "media": "image", "mime": "image/png", "data": PIXEL, "filename": "f"},
    {"type": "media", "media": "image", "url": "u", "file_id": "f", "sha256": "s", "detail": "d"},
    {"type": "media", "media": "audio", "mime": "audio/wav", "data": "AAAA", "transcript": "t"},
    {"type": "tool_call", "id": "i", "name": "n", "arguments": {"a": "b"}, "arguments_text": "t"},
    {"type": "tool_call", "id": "i", "name": "n", "arguments_text": "t", "call_type": "c"},
    {"type": "tool_result", "call_id": "i", "name": "n", "result": "r", "is_error": True},
    {"type": "tool_result", "call_id": "i", "parts": [{"type": "text", "text": "t"}]},
    {"type": "refusal", "text": "t"},
    {
        "type": "citation",
        "url": "u",
        "title": "t",
        "label": "l",
        "description": "d",
        "source_type": "s",
        "breadcrumbs": ["b"],
        "cited_text": "c",
        "start": 1,
        "end": 2,
    },
    {"type": "other", "name": "n", "data": {"a": "b"}},
]
_TIMES = {"started_at": "2026-01-01T10:00:00Z", "ended_at": "2026-01-01T10:00:09Z"}
_SHARED = {
    "id": "i",
    "session": "s",
    "parent": "p",
    "trace_id": "t",
    "name": "n",
    "source": "s",
    "agent": _AGENT,
    "person": _PERSON,
    "error": _ERROR,
    "metrics": {"a": "b"},
    **_TIMES,
    "feedback": {"a": "b"},
    "properties": {"a": {"b": ["c"]}},
    "tags": ["t"],
    "flags": ["f"],
    "source_ids": {"a": "b"},
    "extra": {"a": {"b": "c"}},
}
_USED = {
    "usage": {"input_tokens": 7, "output_tokens": 2, "raw": {"a": "b"}},
    "cost": {"amount": "0.5", "currency": "c"},
}


def _message(role: str) -> dict[str, Any]:
    return {"role": role, "name": "n", "parts": _PARTS, "extra": {"a": {"b": "c"}}}


def _said(role: str) -> dict[str, Any]:
    made = {"model": "m", "provider": "p", "finish_reason": "f", "error": _ERROR, **_USED, **_TIMES}
    known = {"id": "i", "language": "l", "agent": _AGENT, "person": _PERSON, "generation": made}
    return {**_message(role), **known, **_TIMES, "properties": {"a": "b"}, "tags": ["t"]}


_RUN = {"kind": "tool_run", "call_id": "c", "description": "d", "arguments": {"a": "b"}}
CALL = {
    "kind": "model_call",
    "provider": "p",
    "model": "m",
    "response_model": "r",
    **_SHARED,
    "parameters": {"a": "b"},
    "tools": [{"name": "n", "description": "d", "parameters": {"a": "b"}, "type": "t"}],
    "template": {"messages": "m", "variables": {"a": "b"}, "id": "i"},
    "input": [_message("system"), _message("user")],
    "choices": [{"message": _message("assistant"), "finish_reason": "f"}] * 2,
    **_USED,
    "native": {"dialect": "mine", "request": {"a": "b"}, "response": "r"},
}
RUN = {**_SHARED, **_RUN, "result": {"a": ["b"]}}
STEP = {
    **_SHARED,
    "kind": "step",
    "step_type": "s",
    "inputs": {"a": "b"},
    "outputs": {"a": "b"},
    "config": {"a": "b"},
}
CONVERSATION = {
    "kind": "conversation",
    "id": "i",
    "session": "s",
    "title": "t",
    "visibility": "v",
    "messages": [_said(role) for role in ("system", "user", "assistant", "tool", "odd")],
    "branches": [
        {"reason": "side_call", "after": "a", "messages": [_said("assistant")], "agent": _AGENT},
        {"reason": "r", "parent": "p", "messages": [_said("user")], "detached": True},
    ],
    "tool_runs": [{**_SHARED, **_RUN, "result": "r"}],
    "agents": [_AGENT],
    "people": [_PERSON],
    **_TIMES,
    "trace_id": "t",
    "source": "s",
    "properties": {"a": "b"},
    "metrics": {"a": "b"},
    "feedback": {"a": "b"},
    "tags": ["t"],
    "source_ids": {"a": "b"},
    "flags": ["f"],
    "extra": {"a": {"b": "c"}},
}


def items(address: str) -> list[Any]:
    """A model call, a tool run, a step and a conversation, all of whose texts are attacks, each several times over."""
    found = attacks(address)
    texts = itertools.cycle([*found, *found[:-1]])  # so that each comes to each field in some item
    kinds = ((ModelCall, CALL), (ToolRun, RUN), (Step, STEP), (Conversation, CONVERSATION))
    return [kind.model_validate(filled(shape, texts)) for kind, shape in kinds]
