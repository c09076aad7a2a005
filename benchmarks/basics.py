"""What llmtee builds on, and its pure steps by themselves: import, JSON, decode, assemble, a long session."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import events
import orjson
import pydantic_core

from llmtee import jsontext
from llmtee.assembly import Session, assemble
from llmtee.formats import openai_chat

Rows = dict[str, dict[str, float]]


def tables(*, quick: bool = False) -> Iterator[tuple[str, str, Rows]]:
    """Title, unit and rows of each table."""
    record = events.records(1)[0]
    text = jsontext.dumps(record)
    call = openai_chat.decode_record(record)
    times = 50 if quick else 2000
    imports = {
        name: _import_ms(name, 1 if quick else 5) for name in ("llmtee", "pydantic", "httpx")
    }
    yield "import", "ms", imports
    yield (
        f"JSON of {len(text):,} bytes, and the pure steps",
        "µs",
        {
            "write: llmtee.jsontext": _each(lambda: jsontext.dumps(record), times),
            "write: orjson": _each(lambda: orjson.dumps(record), times),
            "write: pydantic_core": _each(lambda: pydantic_core.to_json(record), times),
            "write: json": _each(lambda: json.dumps(record), times),
            "read: llmtee.jsontext": _each(lambda: jsontext.loads(text), times),
            "read: orjson": _each(lambda: orjson.loads(text), times),
            "read: json": _each(lambda: json.loads(text), times),
            "decode openai-chat": _each(lambda: openai_chat.decode_record(record), times),
            "write a canonical event": _each(call.to_json_text, times),
            "assemble one call": _each(lambda: assemble([call]), times),
        },
    )
    turns = 20 if quick else 2000
    yield f"one session, {turns:,} turns, each with the whole history", "", _long_session(turns)


def _long_session(turns: int) -> Rows:
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
    first = _seconds(session.conversation)
    session.absorb(call.model_copy(update={"id": "again"}))
    again = _seconds(session.conversation)
    stored = len(jsontext.dumps(session.to_json()))
    rows = {
        "decode openai-chat, s": decoding,
        "absorb all, s": sum(absorbing),
        "conversation, first, s": first,
        "absorb the last, ms": absorbing[-1] * 1e3,
        "conversation, again, ms": again * 1e3,
        "absorb / decode": sum(absorbing) / decoding,
        "bytes stored / read": stored / size,
    }
    return {name: {"figure": figure} for name, figure in rows.items()}


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _each(work: Callable[[], object], times: int) -> dict[str, float]:
    return _spread(
        [_seconds(lambda: [work() for _ in range(times)]) / times * 1e6 for _ in range(5)]
    )


def _import_ms(module: str, repetitions: int) -> dict[str, float]:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(repetitions)
    ]
    return _spread([float(one) * 1e3 for one in runs])


def _spread(figures: list[float]) -> dict[str, float]:
    return {"median": statistics.median(figures), "lowest": min(figures), "highest": max(figures)}
