"""When the next request may start: rate, concurrency, and what the vendor's answers ask for. Pure: time is passed in."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

OVERLOADED = frozenset({408, 429, 503, 504, 529})
"""Statuses by which a server says that it has too much to do."""
_SAME_RESET_SECONDS = 1.5
"""Resets are told in whole seconds, so one period may seem to end at times that are so far apart."""


class Wait:
    """A wait by the wall clock. When the clock is put back it starts anew, so it never takes longer than it was set."""

    def __init__(self) -> None:
        self._since = self._seconds = 0.0

    @property
    def until(self) -> float:
        """Unix seconds; 0 when there is nothing to wait for."""
        return self._since + self._seconds if self._seconds else 0.0

    def left(self, now: float) -> float:
        """Seconds that are left."""
        self._since = min(self._since, now)
        left = max(0.0, self._since + self._seconds - now)
        if not left:
            self._seconds = 0.0
        return left

    def begin(self, now: float, seconds: float) -> None:
        """Waits so many seconds from now."""
        self._since, self._seconds = now, max(0.0, seconds)

    def extend(self, now: float, seconds: float) -> None:
        """Waits at least so many seconds from now."""
        if seconds > self.left(now):
            self.begin(now, seconds)

    def end(self) -> None:
        """Waits no longer."""
        self._seconds = 0.0


class TokenBucket:
    """A token bucket of one: starts are at least ``1 / rate`` seconds apart, so no second ever has more than ``rate``."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        """Tokens a second; ``None``: no limit."""
        self._wait = Wait()

    def left(self, now: float) -> float:
        """Seconds until there is a token."""
        return self._wait.left(now)

    def take(self, now: float) -> None:
        """Takes the token."""
        if self.rate is not None:
            self._wait.begin(now, 1 / self.rate)


class Window:
    """How many requests may be under way: halved when the vendor is overloaded, and grown back slowly.

    As TCP does it: half at once, and then one more for each windowful of answers that were well.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = float(limit)
        self._halved_at = -math.inf

    def worked(self) -> None:
        """A request was answered well."""
        self.size = min(self.limit, self.size + 1 / self.size)

    def overloaded(self, started: float, now: float) -> None:
        """A request that started at ``started`` met an overload. Those under way at that time say nothing new."""
        if started < self._halved_at <= now:
            return
        self._halved_at = now
        self.size = max(1.0, self.size / 2)


@dataclass(frozen=True, slots=True)
class Quota:
    """What the vendor says is left."""

    remaining: int
    """Requests."""
    reset: float
    """Seconds until there are more."""


class Pacing:
    """When one exporter may start its next request. Knows nothing of what is in the requests."""

    def __init__(self, *, concurrency: int, rate: float | None = None) -> None:
        self.window = Window(concurrency)
        self._bucket = TokenBucket(rate)
        self._hold = Wait()
        self._remaining: int | None = None
        self._reset = Wait()

    @property
    def rate(self) -> float | None:
        """Requests a second at most."""
        return self._bucket.rate

    def held(self, now: float) -> float:
        """Seconds that the vendor asked to be left alone, from now."""
        return self._hold.left(now)

    def left(self, now: float) -> float:
        """Seconds before which nothing may start, however little is under way."""
        return max(self._hold.left(now), self._bucket.left(now))

    def slots(self, now: float, busy: int) -> int:
        """How many requests may be started, now and by the spacing of ``rate``, when so many are under way."""
        most = min(int(self.window.size), self._allowed(now))
        return 0 if self.left(now) else max(0, most - busy)

    def started(self, now: float) -> None:
        """A request starts."""
        self._bucket.take(now)

    def answered(
        self,
        now: float,
        *,
        started: float,
        well: bool = False,
        overloaded: bool = False,
        hold: float = 0.0,
        quota: Quota | None = None,
    ) -> None:
        """A request came to its end.

        Args:
            now: unix seconds.
            started: unix seconds when it started.
            well: whether the vendor took it.
            overloaded: whether the vendor has too much to do.
            hold: seconds for which the exporter is left alone.
            quota: from the answer's headers.
        """
        if overloaded:
            self.window.overloaded(started, now)
        elif well:
            self.window.worked()
        self._hold.extend(now, hold)
        if quota is not None:
            left = self._reset.left(now)
            if self._remaining is not None and abs(left - quota.reset) < _SAME_RESET_SECONDS:
                # Answers overtake one another: of one period, the smallest number is the newest.
                self._remaining = min(self._remaining, quota.remaining)
            else:
                self._remaining = quota.remaining
                self._reset.begin(now, quota.reset)
            if self._remaining <= 0:
                self._hold.extend(now, self._reset.left(now))
        elif self._remaining is not None:
            # Without news, what was answered has used up some of it.
            self._remaining = max(0, self._remaining - 1)

    def _allowed(self, now: float) -> int:
        """How many the vendor lets be under way: those that are have not been counted by it yet."""
        if self._remaining is None:
            return self.window.limit
        if not self._reset.left(now):
            self._remaining = None
            return self.window.limit
        if self._remaining <= 0:
            self._hold.extend(now, self._reset.left(now))
        return self._remaining


_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_ITEM = re.compile(r"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*(\d+)")
_YEAR_2001 = 1_000_000_000
_FUTURE_MS = 100_000_000_000


def quota_of(headers: Mapping[str, str], received_at: dt.datetime | None) -> Quota | None:
    """What an answer's headers say of the requests that are left; ``None`` when they do not say it.

    Read are the IETF draft's ``RateLimit`` (``"default";r=50;t=30``, and the older ``limit=100, remaining=50,
    reset=30``), and the pairs ``RateLimit-Remaining``/``-Reset``, ``X-RateLimit-…`` and ``X-Rate-Limit-…``. A reset is
    in seconds from now, or unix time in seconds or milliseconds; the answer's own ``Date`` then counts as now.

    Args:
        headers: with lower-case names.
        received_at: when the answer came, for unix times in an answer without a date.
    """
    found = dict(_ITEM.findall(headers.get("ratelimit", "")))
    pairs = [(found.get("r") or found.get("remaining"), found.get("t") or found.get("reset"))]
    pairs += [
        (headers.get(f"{name}-remaining"), headers.get(f"{name}-reset")) for name in _PREFIXES
    ]
    for remaining, reset in pairs:
        count, at = _number(remaining), _number(reset)
        if count is not None and at is not None:
            seconds = _seconds_from_now(at, headers, received_at)
            return None if seconds is None else Quota(int(count), seconds)
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _seconds_from_now(
    value: float, headers: Mapping[str, str], received_at: dt.datetime | None
) -> float | None:
    if value < _YEAR_2001:
        return value
    try:
        now: dt.datetime | None = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        now = received_at
    if now is None:
        return None
    if now.tzinfo is None:  # how "-0000" is read
        now = now.replace(tzinfo=dt.UTC)
    return max(0.0, (value / 1000 if value > _FUTURE_MS else value) - now.timestamp())
