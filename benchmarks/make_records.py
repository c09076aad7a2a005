"""Writes JSON Lines as a service logs its calls of OpenAI: agents with tools, growing histories, sessions interleaved.

    python benchmarks/make_records.py 2GB records.jsonl > manifest.json

The same arguments give the same bytes. Most records have 3 to 6 KB, a few up to 100 KB. Some lines are broken, each in
one of the ways that logs are; the manifest, on stdout, says which ones.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9}
_LONGEST = 95_000
"""Bytes of history at which an agent forgets its oldest turns."""
_LIVE = 200
"""Sessions at a time."""
_WORDS = [
    "order",
    "refund",
    "invoice",
    "parcel",
    "Lieferung",
    "customer",
    "account",
    "café",
    "policy",
    "ticket",
    "status",
    "address",
    "payment",
    "card",
    "delayed",
    "warehouse",
    "carrier",
    "tomorrow",
    "today",
    "please",
    "thanks",
    "could",
    "would",
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "for",
    "with",
    "because",
    "résumé",
    "größer",
    "replacement",
    "discount",
    "subscription",
    "upgrade",
    "region",
    "Zürich",
    "東京",
    "naïve",
    "tracking",
    "label",
    "return",
    "window",
    "shipping",
]
_AGENTS = ("support", "billing", "research", "coder", "triage")
_TOOLS = ("lookup_order", "search_docs", "refund", "create_ticket", "run_query", "send_mail")


class Service:
    """Sessions of agents, and the records of their calls.

    Args:
        seed: of all that is chosen.
    """

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._pool = " ".join(self._rng.choice(_WORDS) for _ in range(60_000))
        self._prompts = {name: f"You are {name}. {self._text(400, 1800)}" for name in _AGENTS}
        self._tools = {name: self._offered(name) for name in _AGENTS}
        self.sessions = self._calls = 0

    def records(self) -> Iterator[dict[str, Any]]:
        """Records without end, those of the live sessions in any order."""
        live = [self._session() for _ in range(_LIVE)]
        while True:
            at = self._rng.randrange(_LIVE)
            record = next(live[at], None)
            if record is None:
                live[at] = self._session()
            else:
                yield record

    def _text(self, low: int, high: int) -> str:
        size = min(high, int(low * self._rng.paretovariate(1.6)))
        start = self._rng.randrange(len(self._pool) - size)
        return self._pool[start : start + size]

    def _session(self) -> Iterator[dict[str, Any]]:
        rng = self._rng
        self.sessions += 1
        name, agent = f"session-{self.sessions}", rng.choice(_AGENTS)
        person = f"user-{rng.randrange(50_000)}"
        history: list[dict[str, Any]] = []
        size = 0
        for _ in range(min(60, int(2 * rng.paretovariate(1.1)))):
            turn: list[dict[str, Any]] = [{"role": "user", "content": self._text(60, 4000)}]
            for _ in range(rng.choice((0, 0, 1, 1, 2))):
                call = self._call()
                message = {"role": "assistant", "content": None, "tool_calls": [call]}
                yield self._record(name, agent, person, [*history, *turn], message, "tool_calls")
                turn.append(message)
                found = json.dumps({"found": self._text(120, 9000), "rows": rng.randrange(40)})
                turn.append({"role": "tool", "tool_call_id": call["id"], "content": found})
            answer = {"role": "assistant", "content": self._text(200, 6000)}
            yield self._record(name, agent, person, [*history, *turn], answer, "stop")
            history += [*turn, answer]
            size += sum(len(str(message)) for message in (*turn, answer))
            while size > _LONGEST:
                size -= len(str(history.pop(0)))

    def _call(self) -> dict[str, Any]:
        self._calls += 1
        arguments = json.dumps({"query": self._text(20, 300), "limit": self._rng.randrange(50)})
        function = {"name": self._rng.choice(_TOOLS), "arguments": arguments}
        return {"id": f"call_{self._calls:024x}", "type": "function", "function": function}

    def _offered(self, agent: str) -> list[dict[str, Any]]:
        return [
            {
                "type": "function",
                "function": {
                    "name": name,
                    "description": self._text(60, 300),
                    "parameters": {
                        "type": "object",
                        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
                        "required": ["query"],
                    },
                },
            }
            for name in self._rng.sample(_TOOLS, 2 + len(agent) % 3)
        ]

    def _record(
        self,
        session: str,
        agent: str,
        person: str,
        history: list[dict[str, Any]],
        message: dict[str, Any],
        finish: str,
    ) -> dict[str, Any]:
        self._calls += 1
        began = 1_790_000_000 + self._calls * 0.37
        asked, answered = self._rng.randrange(400, 9000), self._rng.randrange(20, 900)
        system = {"role": "system", "content": self._prompts[agent]}
        return {
            "session": session,
            "agent": agent,
            "agent_version": "2026-11-03",
            "person": person,
            "started_at": began,
            "ended_at": began + 1.25,
            "properties": {"region": self._rng.choice(("eu", "us")), "release": "4.18.2"},
            "request": {
                "model": "gpt-4o-mini",
                "temperature": 0.2,
                "messages": [system, *history],
                "tools": self._tools[agent],
            },
            "response": {
                "id": f"chatcmpl-{self._calls:024x}",
                "object": "chat.completion",
                "created": int(began) + 1,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [
                    {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
                ],
                "usage": {
                    "prompt_tokens": asked,
                    "completion_tokens": answered,
                    "total_tokens": asked + answered,
                    "prompt_tokens_details": {"cached_tokens": asked // 2},
                },
                "system_fingerprint": "fp_7e1b2c",
            },
        }


def _with(record: dict[str, Any], *path: str | int, value: Any) -> bytes:
    """The record as a line, with another value in one place."""
    copy = json.loads(orjson.dumps(record))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return orjson.dumps(copy)


def _nested(opening: str, closing: str) -> Callable[[dict[str, Any]], bytes]:
    deep = (opening * 5000 + "1" + closing * 5000).encode()
    return lambda r: _with(r, "properties", value="HERE").replace(b'"HERE"', deep)


BROKEN: dict[str, bytes | Callable[[dict[str, Any]], bytes]] = {
    "cut in the middle": lambda r: orjson.dumps(r)[: len(orjson.dumps(r)) // 2],
    "cut before its end": lambda r: orjson.dumps(r)[:-1],
    "not JSON": b"2026-11-20T10:00:00Z INFO request done in 1.25 s",
    "single quotes": b"{'request': {'model': 'gpt-4o-mini', 'messages': []}}",
    "two in one line": lambda r: orjson.dumps(r) + orjson.dumps(r),
    "a comma at the end": lambda r: orjson.dumps(r)[:-1] + b",}",
    "bad UTF-8": lambda r: orjson.dumps(r).replace(b"You are", b"You \xff\xfe are", 1),
    "UTF-8 cut in a character": lambda r: orjson.dumps(r).replace(b"You are", b"You \xe6\x9d", 1),
    "NUL bytes": lambda r: orjson.dumps(r).replace(b"You are", b"You\x00are", 1),
    "nothing but NUL": b"\x00" * 512,
    "a control character": lambda r: orjson.dumps(r).replace(b"You are", b"You \x1b[1m are", 1),
    "lists nested too deep": _nested("[", "]"),
    "objects nested too deep": _nested('{"a":', "}"),
    "an empty object": b"{}",
    "a number": b"42",
    "a text": b'"request done"',
    "null": b"null",
    "of no format": b'{"level": "info", "message": "request done"}',
    "messages are a text": lambda r: _with(r, "request", "messages", value="hello"),
    "a message is a text": lambda r: _with(r, "request", "messages", 0, value="hello"),
    "a role is a number": lambda r: _with(r, "request", "messages", 0, "role", value=7),
    "a time that is none": lambda r: _with(r, "started_at", value="yesterday"),
    "a huge number": lambda r: _with(r, "started_at", value=0).replace(
        b'"started_at":0', b'"started_at":1' + b"0" * 400
    ),
    "tags are a number": lambda r: _with(r, "tags", value=3),
    "no answer": lambda r: _with(r, "response", value={"id": "x", "object": "chat.completion"}),
}
"""Ways in which a line is broken, each with the line, or what becomes of a good record."""


def write(path: Path, size: int, *, broken: int = 100, seed: int = 1) -> dict[str, Any]:
    """Writes the file.

    Args:
        path: of the file.
        size: bytes, about.
        broken: lines that are broken, spread over the file.
        seed: of all that is chosen.

    Returns:
        The manifest: ``bytes``, ``records`` that are good, ``sessions``, and ``broken``, each line's number and kind.
    """
    service, choice = Service(seed), random.Random(seed + 1)
    kinds = [*BROKEN] * (broken // len(BROKEN) + 1)
    due = sorted(choice.uniform(0.02, 0.98) * size for _ in range(broken))
    told: list[dict[str, Any]] = []
    written = line = 0
    with path.open("wb") as file:
        for record in service.records():
            line += 1
            if len(told) < broken and written >= due[len(told)]:
                kind = kinds[len(told)]
                how = BROKEN[kind]
                text = how if isinstance(how, bytes) else how(record)
                told.append({"line": line, "kind": kind})
            else:
                text = orjson.dumps(record)
            written += file.write(text + b"\n")
            if written >= size and len(told) == broken:
                break
    return {
        "path": str(path),
        "bytes": written,
        "records": line - len(told),
        "sessions": service.sessions,
        "broken": told,
    }


def size_of(text: str) -> int:
    """``2GB``, ``200MB`` or bytes as a number."""
    low = text.lower()
    unit = next((unit for unit in _UNITS if low.endswith(unit)), "")
    return int(float(low.removesuffix(unit)) * _UNITS.get(unit, 1))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("size", type=size_of, help="such as 2GB or 200MB")
    parser.add_argument("out", type=Path)
    parser.add_argument("--broken", type=int, default=100, help="broken lines")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    manifest = write(options.out, options.size, broken=options.broken, seed=options.seed)
    print(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    main()
