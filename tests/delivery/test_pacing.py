"""The arithmetic of pace and breaker, by properties."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.delivery import Tuning
from llmtee.delivery.breaker import Breaker, Breakers
from llmtee.delivery.pacing import Pacing, Quota, TokenBucket, Wait, Window, quota_of
from llmtee.spec import Exchange, Request, RetryPolicy

T0 = 1_800_000_000.0
NOW = dt.datetime(2026, 1, 1, 12, 0, 0, tzinfo=dt.UTC)

ENDS = st.tuples(
    st.sampled_from(["well", "overloaded", "other"]),
    st.sampled_from([0.0, 0.0, 0.0, 2.0]),
    st.none()
    | st.builds(Quota, remaining=st.integers(0, 5), reset=st.sampled_from([0.0, 1.0, 7.0])),
)


@given(
    rate=st.none() | st.floats(0.1, 50),
    concurrency=st.integers(1, 8),
    steps=st.lists(st.tuples(st.floats(0, 3), st.booleans(), ENDS), max_size=60),
)
def test_pace_keeps_its_limits_and_never_stands_still(  # noqa: C901 - one run of one machine
    rate: float | None,
    concurrency: int,
    steps: list[tuple[float, bool, tuple[str, float, Quota | None]]],
) -> None:
    pacing, now = Pacing(concurrency=concurrency, rate=rate), T0
    starts: list[float] = []
    busy: list[float] = []

    def start_all() -> None:
        while pacing.slots(now, len(busy)):
            pacing.started(now)
            starts.append(now)
            busy.append(now)

    def end_one(kind: str, hold: float, quota: Quota | None) -> None:
        pacing.answered(
            now,
            started=busy.pop(0),
            well=kind == "well",
            overloaded=kind == "overloaded",
            hold=hold,
            quota=quota,
        )
        if hold:
            assert pacing.left(now) >= hold
            assert not pacing.slots(now, len(busy))

    for passed, ends, (kind, hold, quota) in steps:
        now += passed
        start_all()
        assert len(busy) <= concurrency
        assert 1 <= pacing.window.size <= concurrency
        if ends and busy:
            end_one(kind, hold, quota)
    if rate is not None:
        for first, start in enumerate(starts):
            for second in range(first + 1, len(starts)):
                seconds = starts[second] - start
                assert second - first <= seconds * rate + 1e-3
    # However it was left: when all is answered there is a time at which the next may start, and it comes.
    while busy:
        end_one("other", 0.0, None)
    for _ in range(3):
        if pacing.slots(now, 0):
            break
        now += pacing.left(now)
    assert pacing.slots(now, 0) >= 1


@given(
    seconds=st.floats(0, 1e4),
    moves=st.lists(st.floats(-1e6, 1e6), max_size=10),
)
def test_a_wait_never_grows_when_the_clock_is_put_back(seconds: float, moves: list[float]) -> None:
    wait, now = Wait(), T0
    wait.begin(now, seconds)
    for move in moves:
        now += move
        assert 0 <= wait.left(now) <= seconds + 1e-3
    assert wait.left(now + seconds + 1e-3) == 0


def test_a_bucket_without_a_rate_never_waits() -> None:
    bucket = TokenBucket(None)
    bucket.take(T0)
    assert bucket.left(T0) == 0


def test_a_window_halves_once_for_what_was_under_way_and_grows_back_by_one_per_windowful() -> None:
    window = Window(8)
    for _ in range(8):
        window.overloaded(started=T0, now=T0 + 1)
    assert window.size == 4
    for _ in range(4):
        window.worked()
    assert 4.9 < window.size < 5
    for _ in range(100):
        window.worked()
    assert window.size == 8
    for turn in range(10):
        window.overloaded(started=T0 + 10 + turn, now=T0 + 10 + turn)
    assert window.size == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"ratelimit": '"default";r=50;t=30'}, Quota(50, 30)),
        ({"ratelimit": "limit=100, remaining=3, reset=7"}, Quota(3, 7)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "12"}, Quota(0, 12)),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "0.5"}, Quota(5, 0.5)),
        ({"x-rate-limit-remaining": "1", "x-rate-limit-reset": "9"}, Quota(1, 9)),
        # Unix time, in seconds and milliseconds, by our clock and by the answer's own.
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 60)}, Quota(0, 60)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) * 1000 + 500)}, Quota(0, 0.5)),
        (
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(int(NOW.timestamp()) + 3600 + 5),
                "date": "Thu, 01 Jan 2026 13:00:00 GMT",
            },
            Quota(0, 5),
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000001"}, Quota(0, 0)),
        ({"x-ratelimit-remaining": "5"}, None),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-remaining": "nan", "x-ratelimit-reset": "inf"}, None),
        ({"ratelimit": "nonsense; r=; t=x"}, None),
    ],
)  # fmt: skip
def test_what_rate_limit_headers_say(headers: dict[str, str], expected: Quota | None) -> None:
    assert quota_of(headers, NOW) == expected


@given(
    st.dictionaries(
        st.sampled_from(["ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset", "date"]),
        st.text(),
    )
)
def test_headers_may_say_anything(headers: dict[str, str]) -> None:
    quota = quota_of(headers, NOW)
    assert quota is None or (quota.remaining >= 0 and quota.reset >= 0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5.0), ("-5", 0.0), ("nan", None), ("inf", None), ("1e999", None), ("soon", None),
     ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0), ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0)],
)  # fmt: skip
def test_what_retry_after_says(value: str, seconds: float | None) -> None:
    exchange = Exchange(Request("POST", "/"), 429, {"retry-after": value}, received_at=NOW)
    assert exchange.retry_after == seconds


# ── the breaker ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _breaker(failures: int = 3) -> Breaker:
    policy = RetryPolicy(initial=1, jitter=0.5, maximum=20)
    return Breaker("host", Tuning(breaker_failures=failures, breaker=policy, random=Random(1)))


def test_a_breaker_opens_after_failures_on_end_and_closes_after_one_probe() -> None:
    breaker, woken = _breaker(), []
    breaker.listen(lambda: woken.append(breaker.state(T0)))
    for _ in range(2):
        breaker.failed(T0, "a")
    breaker.worked(T0)
    for _ in range(2):
        breaker.failed(T0, "a")
    assert breaker.state(T0) == "closed"
    breaker.failed(T0, "a")
    assert breaker.state(T0) == "open"
    assert not breaker.may_send(T0, "a")
    later = T0 + breaker.left(T0)
    assert breaker.state(later) == "half-open"
    assert breaker.may_send(later, "a")
    assert breaker.may_send(later, "b")
    breaker.probe("a")
    assert not breaker.may_send(later, "b")
    breaker.failed(later, "b")  # what was under way before says nothing new
    assert breaker.state(later) == "half-open"
    breaker.give_back("b")
    assert not breaker.may_send(later, "b")
    breaker.give_back("a")
    assert breaker.may_send(later, "b")
    breaker.probe("b")
    breaker.worked(later)
    assert (breaker.state(later), breaker.resumed_at, breaker.failures) == ("closed", later, 0)
    assert woken[-1] == "closed"


def test_the_waits_of_a_breaker_grow_with_jitter_up_to_a_bound() -> None:
    breaker, now, waits = _breaker(1), T0, []
    for _ in range(12):
        breaker.probe("a")
        breaker.failed(now, "a")
        waits.append(breaker.left(now))
        now += waits[-1]
    for place, wait in enumerate(waits):
        least = min(2.0**place, 20)
        assert least - 1e-3 <= wait <= min(least + 0.5, 20) + 1e-3
    assert any(wait != int(wait) for wait in waits)
    breaker.probe("a")
    breaker.failed(now, "a", after=100)
    assert breaker.left(now) == pytest.approx(100)
    breaker.hurry()
    assert breaker.state(now) == "half-open"


def test_a_breaker_belongs_to_scheme_host_and_port() -> None:
    breakers = Breakers(Tuning())
    one = breakers.of("https://acme.example/v1")
    assert breakers.of("https://ACME.example:443") is one
    others = [
        "http://acme.example",
        "https://acme.example:8443",
        "https://other.example",
        "https://[::1]",
    ]
    assert len({id(breakers.of(url)) for url in [*others, "https://acme.example"]}) == 5
    assert one.host == "https://acme.example:443"
    assert breakers.of("https://[::1]").host == "https://[::1]:443"
