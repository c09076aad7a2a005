"""A vendor's `RetryPolicy` as tenacity carries it out: when to try again, and when to stop."""

from __future__ import annotations

from random import Random

from tenacity import RetryCallState
from tenacity.stop import stop_after_attempt, stop_after_delay, stop_base, stop_never
from tenacity.wait import wait_base, wait_exponential

from llmtee.spec import RetryPolicy


class _Jitter(wait_base):
    """Like tenacity's ``wait_random``, with a source of randomness that can be given."""

    def __init__(self, most: float, random: Random) -> None:
        self._most, self._random = most, random

    def __call__(self, retry_state: RetryCallState) -> float:  # noqa: ARG002 - tenacity's signature
        return self._random.uniform(0, self._most)


def seconds_until_next(
    policy: RetryPolicy, attempts: int, random: Random, after: float | None = None
) -> float:
    """Seconds to wait after ``attempts`` tries.

    Args:
        policy: the vendor's.
        attempts: how many tries there were, from 1.
        random: of the jitter.
        after: what the vendor asked for; it wins when it is longer, even than the policy's maximum.
    """
    wait = wait_exponential(
        multiplier=policy.initial, exp_base=policy.multiplier, max=policy.maximum
    ) + _Jitter(policy.jitter, random)
    return max(min(wait(_state(attempts, 0.0)), policy.maximum), after or 0.0)


def is_exhausted(policy: RetryPolicy, attempts: int, elapsed: float) -> bool:
    """Whether to give up after so many tries and so many seconds since the first."""
    stop: stop_base = stop_after_delay(policy.give_up_after)
    stop |= stop_never if policy.attempts is None else stop_after_attempt(policy.attempts)
    return stop(_state(attempts, elapsed))


def _state(attempts: int, elapsed: float) -> RetryCallState:
    # tenacity's own loop would keep this in memory; ours is in the event log and survives a restart.
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = attempts
    state.start_time, state.outcome_timestamp = 0.0, elapsed
    return state
