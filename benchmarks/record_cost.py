"""What `record` costs the thread that calls it: alone, beside the delivery, and beside a thread that computes.

The vendor is emulated in another process. Each figure is of single calls; the worst one shows what a request of the
application may have to wait at most.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmtee import HoneyHive, Tee, jsontext
from llmtee.model import Choice, Message, ModelCall, TextPart

CALLS = 4000
_VENDOR = """
import sys
from llmtee.testing.emulators import HoneyHiveEmulator
with HoneyHiveEmulator() as vendor:
    print(vendor.url, vendor.key, flush=True)
    sys.stdin.read()
"""


def main() -> None:
    """Prints all figures."""
    for turns in (1, 20):
        calls = [_call(turns, number) for number in range(CALLS)]
        raw = [_raw(call) for call in calls]
        size = len(jsontext.dumps(calls[0].to_json()))
        print(f"record, {size:,} bytes, µs{'median':>24}{'p99':>9}{'worst':>10}")
        with _vendor() as vendor:
            for situation, deliver, busy in (
                ("alone", False, False),
                ("beside the delivery", True, False),
                ("and a busy thread", True, True),
            ):
                with _tee(vendor, deliver) as tee, _busy_thread(busy):
                    _show(f"record, {situation}", tee.record, calls)
                with _tee(vendor, deliver) as tee, _busy_thread(busy):
                    _show(f"record_call, {situation}", lambda it, tee=tee: _record(tee, it), raw)
        print()


def _record(tee: Tee, raw: dict[str, object]) -> None:
    tee.record_call("openai-chat", request=raw["request"], response=raw["response"], session="s")


def _show(name: str, record: Callable[[object], object], items: list[object]) -> None:
    figures = []
    for item in items:
        started = time.perf_counter_ns()
        record(item)
        figures.append((time.perf_counter_ns() - started) / 1000)
    p99 = statistics.quantiles(figures, n=100)[98]
    print(f"  {name:36}{statistics.median(figures):10.1f}{p99:9.1f}{max(figures):10.1f}")


def _text(source: random.Random, words: int) -> str:
    return " ".join(
        "".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(2, 10)))
        for _ in range(words)
    )


def _call(turns: int, number: int) -> ModelCall:
    source = random.Random(number)
    history = [
        Message(role=("user", "assistant")[turn % 2], parts=(TextPart(text=_text(source, 140)),))
        for turn in range(max(1, turns - 1))
    ]
    answer = Message(role="assistant", parts=(TextPart(text=_text(source, 90)),))
    return ModelCall(
        session=f"session {number % 50}",
        provider="openai",
        model="gpt-4o",
        input=tuple(history),
        choices=(Choice(message=answer),),
        properties={"request": number, "region": "eu"},
    )


def _raw(call: ModelCall) -> dict[str, object]:
    messages = [{"role": message.role, "content": message.text} for message in call.input]
    answer = {"role": "assistant", "content": call.choices[0].message.text, "refusal": None}
    return {
        "request": {"model": "gpt-4o", "messages": messages, "temperature": 0.5},
        "response": {
            "id": "chatcmpl-1",
            "created": 1,
            "model": "gpt-4o",
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        },
    }


@contextmanager
def _vendor() -> Iterator[HoneyHive]:
    process = subprocess.Popen(
        [sys.executable, "-c", _VENDOR],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    url, key = process.stdout.readline().split()
    try:
        yield HoneyHive(project="p", base_url=url, api_key=key)
    finally:
        process.communicate()


@contextmanager
def _tee(vendor: HoneyHive, deliver: bool) -> Iterator[Tee]:
    with tempfile.TemporaryDirectory() as directory:
        tee = Tee([vendor], dir=directory, deliver=deliver)
        if deliver:
            tee.start()
        try:
            yield tee
        finally:
            tee.close(timeout=2)


@contextmanager
def _busy_thread(wanted: bool) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number = (number * 31 + 7) % 1_000_003

    thread = threading.Thread(target=work)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


if __name__ == "__main__":
    main()
