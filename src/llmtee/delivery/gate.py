"""Fourth stage: pace. Whether, and when, the next request may start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from llmtee.delivery.breaker import Breaker
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.health import Health
from llmtee.delivery.pacing import OVERLOADED, Pacing, quota_of
from llmtee.delivery.report import HostStats, PaceStats
from llmtee.delivery.retry import seconds_until_next
from llmtee.spec import Exchange, Failure


class Gate:
    """What one exporter must pass before each request: its own health, its pace, and the breaker of its host."""

    def __init__(
        self, exporter: Exporter, health: Health, breaker: Breaker, wake: Callable[[], None]
    ) -> None:
        """Prepares, without any I/O.

        Args:
            exporter: whose requests pass.
            health: whether the vendor takes the exporter at all.
            breaker: of the exporter's host; shared.
            wake: is called when there may be more to do.
        """
        self.health, self.breaker = health, breaker
        self.pacing = Pacing(concurrency=exporter.concurrency, rate=exporter.settings.rate)
        self.requests = 0
        self._exporter = exporter
        self._clock = exporter.tuning.clock
        self._under_way = 0
        self._throttled = 0
        self._stopping = asyncio.Event()
        breaker.listen(wake)

    @property
    def stopping(self) -> bool:
        """Whether nothing new is started."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Nothing new is started from now on."""
        self._stopping.set()

    def hurry(self) -> None:
        """Somebody waits: probes may go at once. What the vendor asked for still holds."""
        self.health.hurry()
        self.breaker.hurry()

    @property
    def resumed_at(self) -> float:
        """Unix seconds when requests were last found to be taken again."""
        return max(self.health.resumed_at, self.breaker.resumed_at)

    def probing(self, now: float) -> bool:
        """Whether the next request is a probe, and should hold one item."""
        return self.health.probing or self.breaker.state(now) != "closed"

    def slots(self, now: float, busy: int) -> int:
        """How many deliveries may start, when so many are under way. While there is trouble: one, to see if it is over."""
        if self.health.wait.left(now) or not self.breaker.may_send(now, self):
            return 0
        slots = self.pacing.slots(now, busy)
        return min(slots, 1 if busy == 0 else 0) if self.probing(now) else slots

    def left(self, now: float) -> float:
        """Seconds before which no request starts, whatever comes to its end meanwhile."""
        return max(self.health.wait.left(now), self.breaker.left(now), self.pacing.left(now))

    def enter(self, now: float) -> None:
        """A delivery starts. While the breaker is not closed, it is the probe; see `leave`."""
        if self.breaker.state(now) != "closed":
            self.breaker.probe(self)

    def leave(self) -> None:
        """A delivery has ended, whether it came to a request or not."""
        self.breaker.give_back(self)

    async def admit(self) -> bool:
        """Waits until the next request's turn. False: nothing should be sent for now. Pair it with `answered`."""
        while not self.stopping:
            now = self._clock()
            closed = self.breaker.state(now) == "closed" or self.breaker.is_prober(self)
            if self.health.wait.left(now) or not closed or self.pacing.held(now):
                return False
            wait = self.pacing.left(now)
            if not wait:
                self.pacing.started(now)
                self._under_way += 1
                self.requests += 1
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
        return False

    def abandoned(self) -> None:
        """An admitted request was not sent, or nobody will hear of its answer."""
        self._under_way -= 1

    def answered(
        self, exchange: Exchange, started: float, *, delivered: bool = False, refused: bool = False
    ) -> None:
        """Learns from the end of an admitted request.

        Args:
            exchange: how it went.
            started: unix seconds when it started.
            delivered: whether the vendor took anything of it, whatever the status.
            refused: whether it refused the exporter itself.
        """
        now, status = self._clock(), exchange.status
        self._under_way -= 1
        if exchange.failure is not None or (status is not None and status >= 500 and not delivered):
            self.breaker.failed(now, self, exchange.retry_after)
        else:
            self.breaker.worked(now)
        if exchange.failure is None and not refused:
            self.health.reachable(now)
        well = status is not None and status < 400
        self.pacing.answered(
            now,
            started=started,
            well=well,
            overloaded=status in OVERLOADED or exchange.failure is Failure.UNANSWERED,
            hold=self._hold(exchange, well=well),
            quota=quota_of(exchange.headers, exchange.received_at),
        )

    def _hold(self, exchange: Exchange, *, well: bool) -> float:
        """Seconds that the whole exporter waits: too many requests are not the fault of the items in one of them."""
        policy, after = self._exporter.retry, exchange.retry_after
        if well:
            self._throttled = 0
        if exchange.status == 429:
            self._throttled += 1
            after = seconds_until_next(policy, self._throttled, self._exporter.tuning.random, after)
        elif exchange.status != 503:
            return 0.0
        return min(after or 0.0, policy.give_up_after)

    def pace_stats(self) -> PaceStats:
        """How fast it goes."""
        now = self._clock()
        return PaceStats(
            rate=self.pacing.rate,
            concurrency=self.pacing.window.limit,
            window=self.pacing.window.size,
            under_way=self._under_way,
            held=self.pacing.held(now),
        )

    def host_stats(self) -> HostStats:
        """How the host fares."""
        now, breaker = self._clock(), self.breaker
        return HostStats(
            host=breaker.host,
            breaker=breaker.state(now),
            failures=breaker.failures,
            probe_in=breaker.left(now),
        )
