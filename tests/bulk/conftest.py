from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def chat(n: int, session: str | None = None, **fields: Any) -> dict[str, Any]:
    """A record of one call; equal numbers give equal records."""
    return {
        **({} if session is None else {"session": session}),
        "started_at": 1_795_000_000 + n,
        "request": {"model": "gpt-5", "messages": [{"role": "user", "content": f"question {n}"}]},
        "response": {
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": f"answer {n}"},
                    "finish_reason": "stop",
                }
            ],
        },
        **fields,
    }


def mixed(count: int) -> list[str]:
    """Lines as logs have them: sessions scattered, calls repeated, one id for several calls, blank and broken lines."""
    lines = []
    for n in range(count):
        record = chat(n % 40, f"session-{n % 13}")
        if n % 3 == 0:
            record["response"]["id"] = "chatcmpl-1"
        lines.append(json.dumps(record))
        if n % 11 == 0:
            lines.append(lines[-1][: n + 5])
        if n % 17 == 0:
            lines.append("")
    return lines


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    return chat


@pytest.fixture
def scattered(tmp_path: Path) -> Path:
    """120 good records, and 11 broken lines."""
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(mixed(120)) + "\n", "utf-8")
    return path
