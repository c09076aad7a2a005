"""The driver of readers, over real sockets: whatever a vendor does, the history comes whole, once, or an error says why."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import llmtee
from llmtee import registry
from llmtee.delivery import Tuning, history
from llmtee.errors import (
    ApiNotFound,
    ApiRejected,
    ApiUnauthorised,
    ApiUnavailable,
    ApiUnreachable,
    ConfigError,
    HistoryIncomplete,
)
from llmtee.spec import Page, Position, Request, RetryPolicy, Window
from llmtee.testing.emulators import HoneyHiveEmulator, faults

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
WINDOW = Window(since=NOON, until=NOON + dt.timedelta(hours=1))
FAST = Tuning(retry=RetryPolicy(initial=0.001, jitter=0.001, maximum=0.01, attempts=4))


@pytest.fixture
def emulator() -> Iterator[HoneyHiveEmulator]:
    with HoneyHiveEmulator() as emulator:
        for number in range(30):
            event = {
                "event_id": f"00000000-0000-0000-0000-{number:012d}",
                "session_id": "00000000-0000-0000-0000-00000000feed",
                "event_type": "tool",
                "inputs": {},
                "start_time": NOON.timestamp() * 1000 + number * 60_000,
            }
            assert emulator.ask("POST", "/v1/events", event).status == 200
        yield emulator


def numbers(pages: Any) -> list[int]:
    return [int(item.id[-12:]) for page in pages for item in page.items]


@pytest.mark.parametrize(
    ("fault", "transport"),
    [
        (faults.status(429, retry_after=0.01), "httpx"),
        (faults.status(500), "httpx"),
        (faults.status(503, body="upstream is away"), "aiohttp"),
        (faults.status(408), "httpx"),
        (faults.reset("before"), "httpx"),
        (faults.reset("before"), "aiohttp"),
        (faults.reset("after"), "httpx"),
    ],
)
def test_what_fails_is_asked_for_again(
    emulator: HoneyHiveEmulator, fault: faults.Fault, transport: str
) -> None:
    exporter = emulator.exporter(max_items=8, transport=transport)
    emulator.script(faults.ok(), faults.ok(), fault, fault, faults.ok(), fault, reads=True)
    assert numbers(history.pages(exporter, WINDOW, tuning=FAST)) == list(range(30))
    assert sum(request.fault not in (None, "ok") for request in emulator.requests) == 3


def test_an_answer_that_stops_in_the_middle_is_asked_for_again(
    emulator: HoneyHiveEmulator,
) -> None:
    # As often as it takes, for a busy machine may be as slow as that without any fault.
    patient = Tuning(retry=RetryPolicy(initial=0.001, jitter=0.001, maximum=0.01))
    exporter = emulator.exporter(timeout=0.5)
    emulator.script(faults.ok(), faults.ok(), faults.drip(1, 0.2), reads=True)
    assert numbers(history.pages(exporter, WINDOW, tuning=patient)) == list(range(30))


def test_a_page_of_html_is_asked_for_again_only_where_the_address_was_right(
    emulator: HoneyHiveEmulator,
) -> None:
    ok = faults.ok()
    emulator.script(ok, ok, faults.html(), faults.html(503), reads=True)
    assert numbers(history.pages(emulator.exporter(), WINDOW, tuning=FAST)) == list(range(30))
    emulator.clear()
    emulator.script(*[faults.html()] * 2, reads=True)
    with pytest.raises(ApiUnreachable, match="the answer is a page"):
        numbers(history.pages(emulator.exporter(concurrency=1), WINDOW, tuning=FAST))
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error", "tries"),
    [
        (faults.status(401), ApiUnauthorised, 1),
        (faults.wrong_token(), ApiUnauthorised, 1),
        (faults.status(404), ApiNotFound, 1),
        (faults.status(400), ApiRejected, 1),
        (faults.status(500), ApiUnavailable, 4),
        (faults.status(429), ApiUnavailable, 4),
        (faults.reset("after"), ApiUnreachable, 4),
    ],
)
def test_what_does_not_get_better_is_an_error(
    emulator: HoneyHiveEmulator, fault: faults.Fault, error: type[Exception], tries: int
) -> None:
    emulator.script(*[fault] * 20, reads=True)
    exporter = emulator.exporter(concurrency=1)
    with pytest.raises(error):
        numbers(history.pages(exporter, WINDOW, tuning=FAST))
    asked = Counter(json.dumps(request.body) for request in emulator.requests)
    assert max(asked.values()) == tries


def test_a_vendor_that_asks_for_more_patience_than_there_is_ends_the_reading(
    emulator: HoneyHiveEmulator,
) -> None:
    emulator.script(faults.status(429, retry_after=3600), reads=True)
    with pytest.raises(ApiUnavailable) as caught:
        numbers(history.pages(emulator.exporter(), WINDOW))
    assert caught.value.retry_after == 3600
    assert emulator.key not in str(caught.value)


def test_reading_goes_on_from_any_position(emulator: HoneyHiveEmulator) -> None:
    exporter = emulator.exporter(max_items=8)
    whole = list(history.pages(exporter, WINDOW))
    for stop in range(1, len(whole), 2):
        with contextlib.closing(history.pages(exporter, WINDOW)) as reading:
            first = [next(reading) for _ in range(stop)]
        position = json.loads(json.dumps(first[-1].next))
        rest = history.pages(exporter, WINDOW, position=position)
        assert numbers(first) + numbers(rest) == list(range(30))


_ELSEWHERE = """
import datetime as dt, json, sys
from llmtee import HoneyHive
from llmtee.delivery import history
from llmtee.spec import Window

url, key, position = sys.argv[1:]
exporter = HoneyHive(base_url=url, api_key=key, max_items=8)
window = Window(until=dt.datetime(2026, 1, 1, 13, tzinfo=dt.UTC))
pages = history.pages(exporter, window, position=json.loads(position))
print(json.dumps([int(item.id[-12:]) for page in pages for item in page.items]))
left_half_way = history.pages(exporter, window)
next(left_half_way)
"""


def test_another_process_goes_on_and_what_it_leaves_half_way_holds_up_no_exit(
    emulator: HoneyHiveEmulator,
) -> None:
    exporter = emulator.exporter(max_items=8)
    with contextlib.closing(history.pages(exporter, WINDOW)) as reading:
        first = [next(reading), next(reading)]
    arguments = [emulator.url, emulator.key, json.dumps(first[-1].next)]
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, *arguments],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert numbers(first) + json.loads(done.stdout) == list(range(30))
    assert done.stderr == b""


def test_it_works_where_an_event_loop_runs_and_leaves_no_thread(
    emulator: HoneyHiveEmulator,
) -> None:
    before = threading.active_count()

    async def notebook() -> list[int]:
        return numbers(history.pages(emulator.exporter(max_items=8), WINDOW))

    assert asyncio.run(notebook()) == list(range(30))
    reading = history.pages(emulator.exporter(max_items=8), WINDOW)
    assert threading.active_count() == before, "nothing runs before the first page"
    next(reading)
    assert threading.active_count() == before + 1
    reading.close()
    assert threading.active_count() == before


def test_in_a_loop_of_the_caller(emulator: HoneyHiveEmulator) -> None:
    async def main() -> list[int]:
        async with contextlib.aclosing(
            history.apages(emulator.exporter(max_items=8), WINDOW)
        ) as pages:
            return numbers([page async for page in pages])

    assert asyncio.run(main()) == list(range(30))


def test_requests_of_one_step_are_sent_side_by_side_within_the_concurrency(
    emulator: HoneyHiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, most = 0, 0
    together = threading.Event()
    send = history.open_transport

    def watched(exporter: Any) -> Any:
        transport = send(exporter)
        real = transport.send

        async def counting(request: Request) -> Any:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            if under_way == 3:
                together.set()
            try:
                return await real(request)
            finally:
                under_way -= 1

        transport.send = counting  # type: ignore[method-assign]
        return transport

    monkeypatch.setattr(history, "open_transport", watched)
    exporter = emulator.exporter(max_items=8, concurrency=3)
    assert numbers(history.pages(exporter, WINDOW)) == list(range(30))
    assert together.is_set()
    assert most == 3


class Odd:
    """A reader that misbehaves."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def start(self, window: Window) -> Position:
        return {"n": 0}

    def requests(self, position: Position) -> list[Request]:
        if self.kind == "asks for nothing":
            return []
        gone = Request("GET", "/v1/events/00000000-0000-0000-0000-0000deadbeef")
        return [replace(gone, may_be_gone=self.kind == "gone")]

    def page(self, position: Position, exchanges: Any) -> Page:
        if self.kind == "gone":
            return Page(items=(), next=None, notes=(str(exchanges[0].status),))
        return Page(items=(), next=position)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("asks for nothing", "asked for nothing"),
        ("gone", None),
        ("not gone", "no event"),
    ],
)
def test_readers_are_held_to_their_word(
    emulator: HoneyHiveEmulator, monkeypatch: pytest.MonkeyPatch, kind: str, error: str | None
) -> None:
    vendor = replace(registry.vendor("honeyhive"), read=lambda settings: Odd(kind))
    monkeypatch.setattr(registry, "vendor", lambda name: vendor)
    if error is None:
        [page] = history.pages(emulator.exporter(), WINDOW)
        assert page.notes == ("404",)
        return
    with pytest.raises((HistoryIncomplete, ApiNotFound), match=error):
        list(history.pages(emulator.exporter(), WINDOW))


def test_what_does_not_add_up_is_waited_for(emulator: HoneyHiveEmulator) -> None:
    odd = iter([True, True])
    select = emulator.search

    def miscounting(call: Any) -> Any:
        answer = select(call)
        if call.body["limit"] > 1 and "dateRange" in call.body and next(odd, False):
            return replace(answer, body={**answer.body, "count": answer.body["count"] + 1})
        return answer

    emulator.search = miscounting  # type: ignore[method-assign]
    exporter = emulator.exporter(api="v1", concurrency=1)
    pages = list(history.pages(exporter, WINDOW, tuning=FAST))
    assert [page.again for page in pages] == [0, 0, 1, 2, 0, 0]
    assert numbers(pages) == list(range(30))


def test_an_answer_that_is_too_large_says_what_to_do(
    emulator: HoneyHiveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ANSWER_BYTES", 500)
    with pytest.raises(ApiUnavailable, match="more than 500 bytes: read a shorter window"):
        list(history.pages(emulator.exporter(), WINDOW, tuning=FAST))


def test_vendors_without_a_history_say_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HistoryIncomplete, match=r"Voker has no history to read: .*log:DIR"):
        history.pages(llmtee.Voker(api_key="k"), WINDOW)  # type: ignore[arg-type]
    monkeypatch.delenv("HH_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="HH_API_KEY"):
        history.pages(llmtee.HoneyHive(), WINDOW)


def test_a_reading_is_not_carried_over_a_fork(emulator: HoneyHiveEmulator) -> None:
    reading = history.pages(emulator.exporter(max_items=8), WINDOW)
    next(reading)
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            try:
                next(reading)
            except llmtee.UsageError as error:
                code = 0 if "before the process forked" in str(error) else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(numbers(reading)) > 0, "the parent goes on"
