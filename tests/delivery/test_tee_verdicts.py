"""What each verdict makes the engine do, through Tee and real HTTP. After each test the counts must balance."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llmtee.model import ModelCall, Step
from llmtee.spec import RetryPolicy
from llmtee.tee import Tee, Tuning

Call = Callable[..., ModelCall]
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _counts_balance(tees: list[Tee]) -> Iterator[None]:
    yield
    for tee in tees:
        if tee.stats().refused == 0 and tee._final is None:
            for name, stats in tee.stats().exporters.items():
                assert stats.counts.total == tee._log.recorded(name)


def test_what_is_recorded_arrives_in_order_and_once(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter(concurrency=1))
    ids = [tee.record(call(f"call {number}")) for number in range(10)]
    report = tee.flush()
    assert report
    assert report["acme"].delivered == 10
    assert acme.stored_ids() == ids


def test_retry_waits_and_succeeds(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.extend([answer(503), answer(words=("retry",))])
    tee = make_tee(exporter())
    event = tee.record(call())
    assert tee.flush()["acme"].delivered == 1
    assert [request["status"] for request in acme.requests] == [503, 200, 200]
    assert acme.stored_ids() == [event]
    assert tee.stats()["acme"].retries == 2


def test_only_the_items_that_failed_are_sent_again(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    tee = make_tee(exporter(concurrency=1))
    with _one_request(tee, acme, call, answer) as (good, busy, bad):
        acme.script.append(answer(words=("delivered", "retry", "rejected")))
    report = tee.flush()
    assert (report["acme"].delivered, report["acme"].dead) == (3, 1)
    assert acme.stored_ids()[1:] == [good, busy]
    assert _dead(tee) == [bad]
    assert [len(request["body"]["items"]) for request in acme.requests] == [1, 3, 1]


def test_retry_after_wins_when_it_is_longer(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, clock: Any
) -> None:
    acme.script.append(answer(429, headers={"Retry-After": "3600"}))
    tee = make_tee(exporter(), clock=clock)
    tee.record(call())
    acme.wait_for(lambda: len(acme.requests) == 1)
    assert not tee.flush(timeout=0.2)
    clock.now += 3599
    assert tee.flush(timeout=0.2)["acme"].pending == 1
    clock.now += 2
    assert tee.flush()["acme"].delivered == 1
    assert len(acme.requests) == 2


def test_other_items_go_on_while_one_waits(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, clock: Any
) -> None:
    acme.script.append(answer(words=("retry",)))
    tee = make_tee(exporter(), clock=clock)
    tee.record(call())
    acme.wait_for(lambda: len(acme.requests) == 1)
    other = tee.record(call())
    acme.wait_for(lambda: acme.stored_ids() == [other])
    assert tee.flush(timeout=0.1)["acme"].pending == 1


def test_retry_after_holds_the_whole_exporter_and_no_other(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, clock: Any
) -> None:
    tee = make_tee(exporter(concurrency=1), clock=clock)
    acme.script.append(answer(429, headers={"Retry-After": "3600"}))
    first = tee.record(call())
    acme.wait_for(lambda: len(acme.requests) == 1)
    second = tee.record(call())
    report = tee.flush(timeout=0.1)
    assert report["acme"].pending == 2
    assert len(acme.requests) == 1
    pace = tee.stats()["acme"].pace
    assert pace is not None
    assert pace.held == 3600
    other = make_tee(exporter(name="other"), dir=None)
    other.record(call())
    assert other.flush()["other"].delivered == 1
    clock.now += 3601
    assert tee.flush()["acme"].delivered == 2
    assert sorted(acme.stored_ids()[-2:]) == sorted([first, second])


def test_exhausted_retries_become_a_dead_letter(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.extend([answer(503)] * 4)
    tee = make_tee(exporter())
    event = tee.record(call())
    assert tee.flush()["acme"].dead == 1
    (letter,) = tee.dead_letters()
    assert letter.id == event
    assert letter.reason.startswith("given up after 4 tries: 503")
    assert letter.answer == {"status": 503, "text": ""}


def test_giving_up_by_time(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, clock: Any
) -> None:
    policy = RetryPolicy(initial=0.001, jitter=0, give_up_after=3600)
    acme.script.extend([answer(429, headers={"Retry-After": "3000"})] * 3)
    tee = make_tee(exporter(), tuning=Tuning(clock=clock, retry=policy))
    tee.record(call())
    acme.wait_for(lambda: len(acme.requests) == 1)
    for tries in (2, 3):
        tee.flush(timeout=0.1)
        clock.now += 3001
        tee.flush(timeout=0.1)
        acme.wait_for(lambda tries=tries: len(acme.requests) == tries)
    assert tee.flush()["acme"].dead == 1


def test_the_time_of_a_pause_does_not_count_towards_giving_up(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any, clock: Any
) -> None:
    policy = RetryPolicy(initial=0.001, jitter=0, give_up_after=3600)
    tee = make_tee(exporter(), tuning=Tuning(clock=clock, retry=policy, probe_initial=1))
    acme.script.append(answer(503))
    tee.record(call())
    acme.wait_for(lambda: len(acme.requests) == 1)
    tee.flush(timeout=0.2)
    acme.key = "another"
    clock.now += 10
    assert not tee.flush()
    clock.now += 2 * 24 * 3600
    assert not tee.flush()
    acme.key = "acme-secret-key"
    acme.script.append(answer(503))
    tee.flush(timeout=0.2)
    clock.now += 10
    assert tee.flush()["acme"].delivered == 1


def test_a_rejected_item_costs_no_neighbour(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    tee = make_tee(exporter(concurrency=1))
    with _one_request(tee, acme, call, answer) as (first, second, bad):
        # The vendor refuses the batch as a whole; halving finds the one that it refuses on its own.
        acme.script.extend([answer(400), answer(), answer(400), answer(), answer(400)])
    report = tee.flush()
    assert (report["acme"].delivered, report["acme"].dead) == (3, 1)
    assert acme.stored_ids()[1:] == [first, second]
    assert _dead(tee) == [bad]
    assert [len(request["body"]["items"]) for request in acme.requests] == [1, 3, 1, 2, 1, 1]


def test_a_dead_letter_has_reason_request_and_answer_but_no_credentials(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(422, content=b'{"error": "text: too rude acme-secret-key"}'))
    tee = make_tee(exporter())
    event = tee.record(call("rude"))
    assert tee.flush().ok
    (letter,) = tee.dead_letters("acme")
    assert letter.reason == "422: text: too rude [redacted]"
    assert letter.request == {
        "method": "POST",
        "path": "/items",
        "body": {"items": [{"id": event, "text": "rude"}]},
    }
    assert letter.answer is not None
    assert letter.answer["status"] == 422
    assert "acme-secret-key" not in repr(letter)


def test_too_large_batches_are_halved(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    tee = make_tee(exporter(concurrency=1))
    with _one_request(tee, acme, call, answer) as ids:
        acme.script.append(answer(413))
    assert tee.flush()["acme"].delivered == 4
    assert acme.stored_ids()[1:] == ids
    assert [len(request["body"]["items"]) for request in acme.requests] == [1, 3, 1, 2]


def test_a_too_large_item_is_shrunk_until_it_fits(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.extend([answer(413), answer(413)])
    tee = make_tee(exporter())
    tee.record(call("x" * 1000))
    assert tee.flush()["acme"].delivered == 1
    assert 100 < len(acme.stored[0]["text"]) < 800


def test_an_item_over_the_limit_is_shrunk_before_it_is_sent(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter(max_bytes=500))
    tee.record(call("x" * 1000))
    assert tee.flush()["acme"].delivered == 1
    assert len(acme.requests) == 1
    assert int(acme.requests[0]["headers"]["content-length"]) == 500


def test_an_item_that_cannot_be_shrunk_is_a_dead_letter(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter(max_bytes=30))
    tee.record(call("x"))
    assert tee.flush()["acme"].dead == 1
    assert acme.requests == []
    assert "takes at most 30" in tee.dead_letters()[0].reason


def test_a_wrong_key_pauses_that_exporter_only_and_loses_nothing(
    acme: Any, exporter: Make, make_tee: Make, call: Call, clock: Any, caplog: Any
) -> None:
    tee = make_tee(exporter(), exporter(name="wrong", api_key="the-wrong-key"), clock=clock)
    ids = [tee.record(call()) for _ in range(20)]
    report = tee.flush()
    assert report["acme"].delivered == 20
    assert report["wrong"].pending == 20
    assert "401" in report.problems["wrong"]
    stats = tee.stats()
    assert (stats["acme"].paused, stats["wrong"].paused) == (False, True)
    # 401 came at once or twice at most: then it was a probe now and then, by the clock that stands still.
    assert sum(request["status"] == 401 for request in acme.requests) <= 3
    assert sum("401" in line.message for line in caplog.records) == 1
    assert "the-wrong-key" not in caplog.text

    acme.key = "the-wrong-key"
    assert tee.flush()["wrong"].delivered == 20
    assert not tee.stats()["wrong"].paused
    assert sorted(acme.stored_ids()) == sorted(ids * 2)
    assert caplog.messages[-1] == "wrong: works again"


def test_a_paused_exporter_probes_ever_more_seldom(
    acme: Any, exporter: Make, make_tee: Make, call: Call, clock: Any
) -> None:
    acme.key = "another"
    tee = make_tee(exporter(), tuning=Tuning(clock=clock, probe_initial=1, probe_maximum=60))
    tee.record(call())
    tee.flush()
    health = tee._engine.chains[0].health
    waits = []
    for _ in range(8):
        waits.append(health.wait.left(clock.now))
        clock.now += waits[-1]
        tee.flush()
    assert waits[0] in (1, 2)
    assert waits[1] == waits[0] * 2
    assert waits[-1] == 60
    assert tee.flush()["acme"].pending == 1


def test_unknown_is_sent_again_where_the_vendor_recognises_it(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(cut=True))
    tee = make_tee(exporter())
    event = tee.record(call())
    assert tee.flush()["acme"].delivered == 1
    assert set(acme.stored_ids()) == {event}
    assert len(acme.requests) == 2


def test_unknown_is_held_where_sending_again_could_store_twice(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(cut=True))
    tee = make_tee(exporter(idempotent=False))
    event = tee.record(call())
    report = tee.flush()
    assert report.ok
    assert report["acme"].unknown == 1
    assert len(acme.requests) == 1
    assert tee._log.outcome("acme", event) == "unknown"


def test_unknown_is_sent_again_when_the_user_says_so(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(cut=True))
    tee = make_tee(exporter(idempotent=False, on_unknown="at_least_once"))
    tee.record(call())
    assert tee.flush()["acme"].delivered == 1
    assert len(acme.requests) == 2


def test_what_prepare_obtains_is_made_once_and_renewed_when_stale(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    tee = make_tee(exporter(needs_ticket=True, concurrency=1))
    tee.record(call())
    tee.flush()
    acme.script.append(answer(words=("refresh",)))
    tee.record(call())
    assert tee.flush()["acme"].delivered == 2
    items = [request for request in acme.requests if request["path"] == "/items"]
    assert [request["body"]["ticket"] for request in items] == [1, 1, 2]


def test_an_item_that_stays_stale_is_a_dead_letter(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.extend([answer(words=("refresh",))] * 2)
    tee = make_tee(exporter(needs_ticket=True))
    tee.record(call())
    assert tee.flush()["acme"].dead == 1
    assert acme.tickets == 2
    assert tee.dead_letters()[0].reason == "stale, even after it was prepared anew"


def test_an_item_without_a_place_is_skipped_with_the_reason(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter())
    tee.record(Step(name="plan"))
    tee.record(call())
    report = tee.flush()
    assert (report["acme"].skipped, report["acme"].delivered) == (1, 1)


def test_a_bug_in_render_costs_one_item_and_is_raised_in_tests(
    acme: Any, exporter: Make, make_tee: Make, call: Call
) -> None:
    tee = make_tee(exporter())
    tee.record(Step(name="bug"))
    tee.record(call())
    with pytest.raises(ZeroDivisionError):
        tee.flush()
    report = tee.flush()
    assert (report["acme"].dead, report["acme"].delivered) == (1, 1)
    assert "ZeroDivisionError: a planted bug" in tee.dead_letters()[0].reason


def test_a_bug_is_only_counted_in_production(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    acme.script.append(answer(content=b"not json"))  # Acme's judge raises
    tee = make_tee(exporter(), strict=False)
    tee.record(call())
    assert tee.flush()["acme"].dead == 1
    assert tee.stats().bugs == 1


def test_a_vendor_that_cannot_be_reached_is_probed_and_not_hammered(
    acme: Any, exporter: Make, make_tee: Make, call: Call, clock: Any
) -> None:
    tee = make_tee(exporter(), exporter(name="away", base_url="http://127.0.0.1:9"), clock=clock)
    for _ in range(50):
        tee.record(call())
    acme.wait_for(lambda: len(acme.stored) == 50)
    report = tee.flush(timeout=0.5)
    assert report["acme"].delivered == 50
    assert report["away"].pending == 50
    away = tee.stats()["away"]
    # Five failures open the breaker; what was under way at that time, and a probe for the flush, come on top.
    assert away.requests <= 5 + 1 + 1
    assert away.host is not None
    assert away.host.breaker == "open"
    assert "not sent" in (tee.stats()["away"].last_error or "")


def test_a_slow_vendor_delays_no_other(
    acme: Any, exporter: Make, make_tee: Make, call: Call, answer: Any
) -> None:
    gate = threading.Event()
    slow = exporter(name="slow", concurrency=1)
    acme.script.append(answer(wait_for=gate))
    tee = make_tee(slow)
    tee.record(call())
    acme.wait_for(lambda: len(acme.requests) == 1)
    other = make_tee(exporter(), exporter(name="second"), dir=None)
    other.record(call())
    assert other.flush()["acme"].delivered == 1
    assert tee.stats()["slow"].counts.pending == 1
    gate.set()
    assert tee.flush()["slow"].delivered == 1


@contextmanager
def _one_request(tee: Tee, acme: Any, call: Call, answer: Any) -> Iterator[list[str]]:
    """Records three events that travel together, after the block: they wait behind one that is under way."""
    gate = threading.Event()
    acme.script.append(answer(wait_for=gate))
    tee.record(call("opens the way"))
    acme.wait_for(lambda: len(acme.requests) == 1)
    ids = [tee.record(call()) for _ in range(3)]
    while tee._log.journal(1):
        pass
    yield ids
    gate.set()


def _dead(tee: Tee) -> list[str]:
    return [letter.id for letter in tee.dead_letters()]
