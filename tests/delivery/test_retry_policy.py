from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from llmtee.delivery.retry import is_exhausted, seconds_until_next
from llmtee.spec import RetryPolicy


def test_waits_grow_up_to_the_maximum() -> None:
    policy = RetryPolicy(initial=1, multiplier=2, jitter=0, maximum=10)
    assert [seconds_until_next(policy, n, Random(0)) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(
    attempts=st.integers(1, 10_000),
    jitter=st.floats(0, 5),
    after=st.none() | st.floats(0, 10_000),
    seed=st.integers(),
)
def test_a_wait_is_within_its_bounds_and_never_shorter_than_asked(
    attempts: int, jitter: float, after: float | None, seed: int
) -> None:
    policy = RetryPolicy(initial=0.5, multiplier=2, jitter=jitter, maximum=60)
    wait = seconds_until_next(policy, attempts, Random(seed), after)
    least = min(0.5 * 2 ** min(attempts - 1, 20), 60)
    assert max(least, after or 0) <= wait <= max(min(least + jitter, 60), after or 0)


def test_giving_up_by_count_or_by_time() -> None:
    policy = RetryPolicy(attempts=3, give_up_after=100)
    assert [is_exhausted(policy, n, 0) for n in (1, 2, 3, 4)] == [False, False, True, True]
    assert [is_exhausted(policy, 1, seconds) for seconds in (99, 100)] == [False, True]
    endless = RetryPolicy(give_up_after=100)
    assert not is_exhausted(endless, 10**6, 99)
    assert is_exhausted(endless, 1, 100)
