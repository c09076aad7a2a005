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
from llmtee.assembly import assemble
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
