"""One exporter's chain: claim → render → pack → send → judge → settle. Independent of every other exporter's."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.health import Health, logger
from llmtee.delivery.http import HttpClient
from llmtee.delivery.judge import Plan, dead, judge, plan
from llmtee.delivery.render import Packet, Parcel, halves, pack, render, shrink
from llmtee.delivery.report import ExporterStats
from llmtee.errors import ConfigError, EventLogError
from llmtee.eventlog import EventLog, Settlement, Work
from llmtee.spec import (
    Delivered,
    Exchange,
    Failure,
    Rejected,
    Request,
    Retry,
    State,
    TooLarge,
    Unauthorised,
    Unknown,
    Verdict,
)

_TAKE = 500
_LOG_FAILED_SECONDS = 1.0


class Chain:
    """Delivers for one exporter, in the engine's event loop."""

    def __init__(
        self, exporter: Exporter, log: EventLog, on_bug: Callable[[BaseException], None]
    ) -> None:
        """Prepares, without any I/O.

        Args:
            exporter: whose work to do.
            log: where the work stands.
            on_bug: is told of exceptions that are llmtee's or a plug-in's own fault.
        """
        self.exporter = exporter
        self.health = Health(exporter)
        self.requests = 0
        self.retries = 0
        self._log = log
        self._on_bug = on_bug
        self._subscription = exporter.subscription
        self._clock = exporter.tuning.clock
        self._wake = asyncio.Event()
        self._rested = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hurried = self._stopping = self._must_recover = False
        self._state: State = {}
        self._prepared = False
        self._generation = 0
        self._looked_at = 0.0
        self._preparing = asyncio.Lock()
        self._client: HttpClient | None = None

    # -- from the engine, in its loop -------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to do."""
        self._rested.clear()
        self._wake.set()

    async def drained(self) -> None:
        """Sends what is due or changed, and returns when nothing is left to do but to wait for the key to be mended."""
        self._hurried = True
        self.health.hurry()
        self.wake()
        await self._rested.wait()

    def stop(self) -> None:
        """Starts nothing new from now on."""
        self._stopping = True
        self._wake.set()

    async def run(self, grace: Callable[[], float]) -> None:
        """Works until `stop`, then lets requests under way finish for ``grace()`` seconds."""
        self._must_recover = True
        while not self._stopping:
            try:
                self._wake.clear()
                if not await self._turn():
                    await self._rest()
            except EventLogError as error:
                self._log_failed(error)
                await asyncio.sleep(_LOG_FAILED_SECONDS)
            except Exception as error:  # noqa: BLE001 - our bug must not end the delivery
                self._bug(error)
                await asyncio.sleep(_LOG_FAILED_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        self._rested.set()

    def add_to(self, stats: ExporterStats) -> ExporterStats:
        """``stats`` with what is known only here."""
        return replace(
            stats,
            requests=self.requests,
            retries=self.retries,
            paused=self.health.paused,
            last_error=self.health.last_error,
            last_error_at=self.health.last_error_at,
        )

    # -- claim ------------------------------------------------------------------------------------

    async def _turn(self) -> bool:
        """Starts one delivery if there is one to start; returns whether there was."""
        if self._must_recover and not self._tasks:
            self._log.recover(self.exporter.name, repeat=self.exporter.repeatable)
            self._must_recover = False
        if self.exporter.vendor.grain == "conversation":
            while self._log.take(self._subscription, _TAKE):  # noqa: ASYNC110 - a turn for the others, not a poll
                await asyncio.sleep(0)
        if self._hurried:
            self._hurried = False
            self._log.hasten(self._subscription)
        if not self.health.slots(self._clock(), len(self._tasks)):
            return False
        works = self._claim(1 if self.health.probing else self.exporter.max_items)
        if not works:
            return False
        task = asyncio.create_task(self._deliver(works))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        # Let the other exporters have their turn, however much there is to do here.
        await asyncio.sleep(0)
        return True

    def _claim(self, limit: int) -> list[Work]:
        now = self._looked_at = self._clock()
        works = self._log.claim(self._subscription, now, limit)
        while len(works) < limit and self._log.take(self._subscription, limit):
            works += self._log.claim(self._subscription, now, limit - len(works))
        return works

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _rest(self) -> None:
        """Waits until there may be something to do again."""
        now = self._clock()
        timeout: float | None = None
        if self.health.until > now:
            timeout = self.health.until - now
        elif self.health.slots(now, len(self._tasks)):
            # What was due when we looked and was not claimed waits for something under way, which will wake us.
            due = self._log.next_due(self.exporter.name, self._looked_at)
            timeout = None if due is None else max(0.0, due - now)
        name = self.exporter.name
        waiting = self._log.unfinished(name) or self._log.behind(name)
        in_vain = self.health.paused and self.health.until > now
        if not self._tasks and not self._hurried and (in_vain or not waiting):
            self._rested.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout)

    # -- render, pack, send, judge, settle --------------------------------------------------------

    async def _deliver(self, works: list[Work]) -> None:
        """Takes claimed works to their settlement, or gives them back."""
        left = {(work.key, work.segment): work for work in works}
        try:
            parcels = []
            for work in works:
                parcel = self._rendered(work)
                if isinstance(parcel, Settlement):
                    self._settle([parcel], left)
                else:
                    parcels.append(parcel)
                await asyncio.sleep(0)
            if parcels:
                await self._send_all(parcels, left)
            self._log.release(self.exporter.name, left.values())
        except EventLogError as error:
            self._log_failed(error)
        except Exception as error:  # noqa: BLE001 - a bug, ours or a plug-in's, costs these items and no others
            self._bug(error)
            try:
                self._settle([self._buried(work, error) for work in left.values()], left)
            except EventLogError as log_error:
                self._log_failed(log_error)

    def _rendered(self, work: Work) -> Parcel | Settlement:
        try:
            return render(self.exporter, self._log, work)
        except EventLogError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._bug(error)
            return self._buried(work, error)

    async def _send_all(self, parcels: Sequence[Parcel], left: dict[tuple[str, int], Work]) -> None:
        """Sends parcels until each is settled, or sending makes no sense for now."""
        groups = deque([tuple(parcels)])
        while groups and not self._stopping:
            if not await self._ready():
                return
            packets = deque(pack(self.exporter, groups.popleft(), self._state))
            while packets:
                if self._stopping or self.health.until > self._clock():
                    return
                packet = packets.popleft()
                smaller = self._fitted(packet, left)
                if smaller is not None:
                    groups.extendleft(reversed(smaller))
                    continue
                result = await self._exchange(packet)
                self._settle(result.settlements, left)
                groups.extendleft(reversed(result.again))
                if result.refused is not None:
                    return

    def _fitted(
        self, packet: Packet, left: dict[tuple[str, int], Work]
    ) -> list[tuple[Parcel, ...]] | None:
        """``None`` when the packet may go; else what to pack again because it is too large."""
        limit = self.exporter.max_bytes
        if packet.size <= limit:
            return None
        if len(packet.parcels) > 1:
            return [half for half in halves(packet.parcels) if half]
        parcel = packet.parcels[0]
        around = packet.size - parcel.wire.size
        smaller = shrink(self.exporter, parcel, limit - around)
        if smaller is not None:
            return [(smaller,)]
        reason = f"{packet.size} bytes; {self.exporter.vendor.title} takes at most {limit}"
        self._settle([dead(self.exporter, parcel.work, reason, self._clock(), packet=packet)], left)
        return []

    async def _exchange(self, packet: Packet) -> Plan:
        """Sends one request, and says what its answer means for each parcel."""
        generation, started = self._generation, self._clock()
        works = [parcel.work for parcel in packet.parcels]
        self._log.sending(self.exporter.name, works)
        exchange = await self._send(packet.request)
        now = self._clock()
        if exchange is None:
            return Plan(release=list(packet.parcels), refused="no key")
        verdicts = judge(self.exporter, exchange)
        refused = any(isinstance(verdict, Unauthorised) for verdict in verdicts)
        if exchange.failure is None and not refused:
            self.health.reachable(now)
        result = plan(
            self.exporter,
            packet,
            exchange,
            verdicts,
            started=started,
            now=now,
            since=self.health.resumed_at,
        )
        self.retries += result.retries
        self._note(exchange, result, now)
        if result.refresh and generation == self._generation:
            self._generation += 1
            self._prepared, self._state = False, {}
        return result

    async def _send(self, request: Request) -> Exchange | None:
        if self._client is None:
            self._client = HttpClient(self.exporter)
        self.requests += 1
        try:
            return await self._client.send(request)
        except ConfigError as error:
            self.health.refused(str(error), self._clock())
            return None

    async def _ready(self) -> bool:
        """Whether what must exist before the first write does; makes it if it can."""
        async with self._preparing:
            if self._prepared:
                return True
            vendor, settings = self.exporter.vendor, self.exporter.settings
            request = vendor.prepare(settings, self._state)
            if request is None:
                self._prepared = True
                return True
            if self._stopping or self.health.until > self._clock():
                return False
            exchange = await self._send(request)
            if exchange is None:
                return False
            return self._take_state(exchange, vendor.prepared(exchange, settings, self._state))

    def _take_state(self, exchange: Exchange, result: State | Verdict) -> bool:
        now = self._clock()
        match result:
            case Retry(reason, after):
                self.health.unreachable(reason, now, after)
            case Unknown(reason):
                self.health.unreachable(reason, now, exchange.retry_after)
            case Unauthorised(reason) | Rejected(reason) | TooLarge(reason):
                self.health.refused(reason, now)
            case Delivered():
                self._prepared = True
            case _:
                self._prepared, self._state = True, result
        return self._prepared

    def _note(self, exchange: Exchange, result: Plan, now: float) -> None:
        """What the exchange says of the vendor as a whole."""
        if result.refused is not None:
            self.health.refused(result.refused, now)
        elif exchange.failure is Failure.NOT_SENT:
            self.health.unreachable(result.trouble or exchange.failure_text, now)
        if result.trouble is not None:
            self.health.trouble(result.trouble, now)

    # -- settle -----------------------------------------------------------------------------------

    def _settle(self, settlements: Iterable[Settlement], left: dict[tuple[str, int], Work]) -> None:
        settlements = list(settlements)
        self._log.settle(self.exporter.name, settlements)
        for settlement in settlements:
            left.pop((settlement.work.key, settlement.work.segment), None)
            if settlement.outcome == "delivered":
                self.health.worked()
            elif settlement.outcome == "dead":
                self.health.died(settlement.reason or "", self._clock())

    def _buried(self, work: Work, error: BaseException) -> Settlement:
        text = "".join(traceback.format_exception(error))
        return dead(self.exporter, work, f"a bug, not the vendor's word: {text}", self._clock())

    def _bug(self, error: BaseException) -> None:
        logger.error("%s: a bug in llmtee or a plug-in", self.exporter.name, exc_info=error)
        self._on_bug(error)

    def _log_failed(self, error: EventLogError) -> None:
        # What was claimed stays so in the log; it is taken back, as after a crash, when nothing is under way.
        self._must_recover = True
        self.health.trouble(str(error), self._clock())
