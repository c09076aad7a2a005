"""What llmtee costs on this machine, beside what it builds on. Run by ``make bench``; compare by ratio.

Each figure is the median over repetitions, with the fastest and the slowest.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pydantic_core
import record_cost

from llmtee import jsontext
from llmtee.assembly import Session, assemble
from llmtee.formats import openai_chat

ROOT = Path(__file__).resolve().parents[1]
REPETITIONS = 5


def main() -> None:
    """Prints all figures."""
    record = _record()
    size = len(jsontext.dumps(record))
    print(f"one record of fixtures/conversations/plain-chat.jsonl: {size:,} bytes\n")
    _show("import", "ms", {name: _import_ms(name) for name in ("llmtee", "pydantic", "httpx")})
    text = jsontext.dumps(record)
    _show(
        "write JSON",
        "µs",
        {
            "llmtee.jsontext": _each(lambda: jsontext.dumps(record)),
            "orjson": _each(lambda: orjson.dumps(record)),
            "pydantic_core": _each(lambda: pydantic_core.to_json(record)),
            "json": _each(lambda: json.dumps(record)),
        },
    )
    _show(
        "read JSON",
        "µs",
        {
            "llmtee.jsontext": _each(lambda: jsontext.loads(text)),
            "orjson": _each(lambda: orjson.loads(text)),
            "json": _each(lambda: json.loads(text)),
        },
    )
    call = openai_chat.decode_record(record)
    _show(
        "pure steps",
        "µs",
        {
            "decode openai-chat": _each(lambda: openai_chat.decode_record(record), 300),
            "assemble one call": _each(lambda: assemble([call]), 300),
        },
    )
    record_cost.main()
    _show_long_session(turns=2000)


def _show_long_session(turns: int) -> None:
    """A session in which each call repeats all that was said before, read and assembled once."""
    session, history = Session("s"), [{"role": "system", "content": "Be kind."}]
    size, decoding, absorbing = 0, 0.0, list[float]()
    for turn in range(turns):
        history.append({"role": "user", "content": f"Question {turn}: how do I reset my password?"})
        answer = {"role": "assistant", "content": f"Answer {turn}: open the settings first."}
        response = {"choices": [{"index": 0, "message": answer, "finish_reason": "stop"}]}
        record = {
            "request": {"model": "gpt-4o", "messages": history},
            "response": {"id": f"chatcmpl-{turn}", "model": "gpt-4o", **response},
            "session": "s",
            "started_at": 1_767_225_600 + 60 * turn,
        }
        text = jsontext.dumps(record)
        history.append(answer)
        started = time.perf_counter()
        call = openai_chat.decode_record(jsontext.loads(text))
        decoded = time.perf_counter()
        session.absorb(call)
        absorbing.append(time.perf_counter() - decoded)
        decoding += decoded - started
        size += len(text)
    started = time.perf_counter()
    session.conversation()
    first = time.perf_counter() - started
    session.absorb(call.model_copy(update={"id": "again"}))
    started = time.perf_counter()
    session.conversation()
    once_more = time.perf_counter() - started
    stored = len(jsontext.dumps(session.to_json()))
    print(f"one session, {turns:,} turns, each with the whole history: {size:,} bytes")
    rows = {
        "decode openai-chat, s": decoding,
        "absorb all, s": sum(absorbing),
        "conversation, first, s": first,
        "absorb the last, ms": absorbing[-1] * 1e3,
        "conversation, again, ms": once_more * 1e3,
        "absorb / decode": sum(absorbing) / decoding,
        "bytes stored / read": stored / size,
    }
    for name, figure in rows.items():
        print(f"  {name:24}{figure:10.4f}")
    print()


def _record() -> dict[str, object]:
    path = ROOT / "fixtures" / "conversations" / "plain-chat.jsonl"
    found: dict[str, object] = json.loads(path.read_text("utf-8").splitlines()[-1])
    return found


def _each(work: Callable[[], object], times: int = 2000) -> list[float]:
    figures = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        for _ in range(times):
            work()
        figures.append((time.perf_counter() - started) / times * 1e6)
    return figures


def _import_ms(module: str) -> list[float]:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        * 1e3
        for _ in range(REPETITIONS)
    ]


def _show(title: str, unit: str, rows: dict[str, list[float]]) -> None:
    print(f"{title}, {unit}")
    for name, figures in rows.items():
        low, high = min(figures), max(figures)
        print(f"  {name:24}{statistics.median(figures):10.1f}   ({low:.1f} – {high:.1f})")
    print()


if __name__ == "__main__":
    main()
