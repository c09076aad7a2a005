from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(sys.executable).parent / "llmtee"


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell without job control starts what is in the background with Ctrl-C ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def script() -> Path:
    """The console script."""
    return SCRIPT


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """Makes a record of the format ``openai-chat``."""

    def make(number: int = 1, session: str = "session-1") -> dict[str, Any]:
        at = f"2026-11-20T10:00:{number:02}"
        return {
            "session": session,
            "agent": "helper",
            "started_at": f"{at}.000Z",
            "ended_at": f"{at}.500Z",
            "request": {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": f"question {number}"}],
            },
            "response": {
                "id": f"chatcmpl-{session}-{number}",
                "object": "chat.completion",
                "created": 1795168800 + number,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": f"answer {number}"},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
            },
        }

    return make


@pytest.fixture
def logs(tmp_path: Path, record: Callable[..., dict[str, Any]]) -> Path:
    """Ten good records in two sessions."""
    path = tmp_path / "logs.jsonl"
    lines = [json.dumps(record(n, f"session-{1 + n // 6}")) for n in range(1, 11)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture
def broken_logs(logs: Path) -> Path:
    """Like ``logs``, with line 3 cut in the middle."""
    lines = logs.read_text("utf-8").splitlines()
    lines[2] = lines[2][: len(lines[2]) // 2]
    logs.write_text("\n".join(lines) + "\n", "utf-8")
    return logs
