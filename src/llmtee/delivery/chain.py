"""One exporter's chain: claim → render → pack → pace → send → judge → settle. Independent of every other exporter's."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from llmtee.delivery.breaker import Breakers
from llmtee.delivery.claim import Claim
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.gate import Gate
from llmtee.delivery.health import Health, logger
from llmtee.delivery.hooks import Hooks
from llmtee.delivery.judge import Plan, judge, plan
from llmtee.delivery.pack import pack
from llmtee.delivery.parcel import Packet, Parcel
from llmtee.delivery.prepare import Prepare
from llmtee.delivery.recent import Recent
from llmtee.delivery.render import Render, buried
from llmtee.delivery.report import ExporterStats
from llmtee.delivery.send import Send
from llmtee.delivery.settle import Settle
from llmtee.errors import EventLogError
from llmtee.eventlog import EventLog, Settlement, Work
from llmtee.spec import Delivered, Unauthorised

_LOG_FAILED_SECONDS = 1.0
_LOOK_SECONDS = 60.0
"""Between two looks at the clock, at most: somebody may put it back."""
_TURN = 20
"""Items that a chain renders before it lets the others have their turn: a millisecond or two. Not told by the clock,
so that a simulation does the same each time."""


class Chain:
    """Delivers for one exporter, in the engine's event loop."""

    def __init__(
        self,
        exporter: Exporter,
        log: EventLog,
        on_bug: Callable[[BaseException], None],
        breakers: Breakers,
        recent: Recent,
        hooks: Hooks | None = None,
    ) -> None:
        """Prepares, without any I/O.

        Args:
            exporter: whose work to do.
            log: where the work stands.
            on_bug: is told of exceptions that are llmtee's or a plug-in's own fault.
            breakers: of the hosts; shared by all chains.
            recent: what was decoded just now; shared by all chains.
            hooks: are told of outcomes.
        """
        self.exporter = exporter
        self.health = Health(exporter)
        self.retries = 0
        self.rate: float | None = None
        """Events delivered a second; whoever counts them says it."""
        self._log = log
        self._hooks = hooks or Hooks()
        self._on_bug = on_bug
        self._clock = exporter.tuning.clock
        self._wake = asyncio.Event()
        self._rested = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hurried = self._must_recover = False
        self.gate = Gate(
            exporter, self.health, breakers.of(exporter.settings.base_url), self._wake.set
        )
        self._claim = Claim(exporter, log)
        self._render = Render(exporter, log, self._bug, recent)
        self._send = Send(exporter, log, self.gate)
        self._prepare = Prepare(exporter, self.gate, self._send)

    # -- from the engine, in its loop -------------------------------------------------------------

    def go_on_from(self, other: Chain) -> None:
        """Counts on from another chain of the same exporter."""
        self.retries, self.gate.requests = other.retries, other.gate.requests
        self.health.last_error, self.health.last_error_at = (
            other.health.last_error,
            other.health.last_error_at,
        )

    def wake(self) -> None:
        """There may be something to do."""
        self._rested.clear()
        self._wake.set()

    async def drained(self) -> None:
        """Sends what is due or changed, and returns when nothing is left to do but to wait for the key to be mended."""
        self._hurried = True
        self.gate.hurry()
        self.wake()
        await self._rested.wait()

    def stop(self) -> None:
        """Starts nothing new from now on."""
        self.gate.stop()
        self._wake.set()

    async def run(self, grace: Callable[[], float]) -> None:
        """Works until `stop`, then lets requests under way finish for ``grace()`` seconds."""
        self._must_recover = True
        while not self.gate.stopping:
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
        try:
            self._claim.release()
        except EventLogError as error:  # taken back by the next process
            self._log_failed(error)
        await self._send.close()
        self._rested.set()

    def add_to(self, stats: ExporterStats) -> ExporterStats:
        """``stats`` with what is known only here."""
        return replace(
            stats,
            rate=self.rate,
            requests=self.gate.requests,
            retries=self.retries,
            paused=self.health.paused,
            last_error=self.health.last_error,
            last_error_at=self.health.last_error_at,
            pace=self.gate.pace_stats(),
            host=self.gate.host_stats(),
        )

    # -- the loop ---------------------------------------------------------------------------------

    async def _turn(self) -> bool:
        """Starts one delivery if there is one to start; returns whether there was."""
        if self._must_recover and not self._tasks:
            self._claim.recover()
            self._must_recover = False
        while self._claim.advance():  # noqa: ASYNC110 - a turn for the others, not a poll
            await asyncio.sleep(0)
        if self._hurried:
            self._hurried = False
            self._claim.hasten()
        now = self._clock()
        self._claim.look(now)
        if not self.gate.slots(now, len(self._tasks)):
            return False
        works = self._claim(now, 1 if self.gate.probing(now) else self.exporter.max_items)
        if not works:
            return False
        self.gate.enter(now)
        task = asyncio.create_task(self._deliver(works))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        # Let the other exporters have their turn, however much there is to do here.
        await asyncio.sleep(0)
        return True

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _rest(self) -> None:
        """Waits until there may be something to do again."""
        now = self._clock()
        timeout: float | None = None
        if self.gate.slots(now, len(self._tasks)):
            due = self._claim.next_due()
            timeout = None if due is None else max(0.0, due - now)
        elif left := self.gate.left(now):
            timeout = left
        if timeout is not None:
            timeout = min(timeout, _LOOK_SECONDS)
        in_vain = self.health.paused and self.health.wait.left(now) > 0
        if not self._tasks and not self._hurried and (in_vain or not self._claim.is_waiting()):
            self._rested.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout)

    # -- one delivery -----------------------------------------------------------------------------

    async def _deliver(self, works: list[Work]) -> None:
        """Takes claimed works to their settlement, or gives them back."""
        settle = Settle(self.exporter, self._log, self.health, works, self._hooks)
        try:
            parcels = await self._rendered(works, settle)
            if parcels:
                await self._send_all(parcels, settle)
            settle.release()
        except EventLogError as error:
            self._log_failed(error)
        except Exception as error:  # noqa: BLE001 - a bug, ours or a plug-in's, costs these items and no others
            self._bug(error)
            try:
                settle([buried(self.exporter, work, error) for work in settle.left])
            except EventLogError as log_error:
                self._log_failed(log_error)
        finally:
            self.gate.leave()

    async def _rendered(self, works: Sequence[Work], settle: Settle) -> list[Parcel]:
        parcels: list[Parcel] = []
        others: list[Settlement] = []
        for number, work in enumerate(works, 1):
            result = self._render(work)
            if isinstance(result, Settlement):
                others.append(result)
            else:
                parcels.append(result)
            if number % _TURN == 0:
                await asyncio.sleep(0)
        settle(others)
        return parcels

    async def _send_all(self, parcels: Sequence[Parcel], settle: Settle) -> None:
        """Sends parcels until each is settled, or sending makes no sense for now."""
        groups = deque([tuple(parcels)])
        while groups:
            if not await self._prepare():
                return
            packed = pack(self.exporter, groups.popleft(), self._prepare.state)
            settle(packed.settlements)
            for packet in packed.packets:
                if not await self.gate.admit():
                    return
                result = await self._exchange(packet)
                settle(result.settlements)
                groups.extendleft(reversed(result.again))
                if result.refused is not None:
                    return

    async def _exchange(self, packet: Packet) -> Plan:
        """Sends one request, and says what its answer means for each parcel."""
        generation, started = self._prepare.generation, self._clock()
        probe = self.gate.probing(started)
        exchange = await self._send(packet.request, [parcel.work for parcel in packet.parcels])
        if exchange is None:
            return Plan(release=list(packet.parcels), refused="cannot be sent")
        try:
            verdicts = judge(self.exporter, exchange)
        except Exception:
            self.gate.abandoned()
            raise
        self.gate.answered(
            exchange,
            started,
            delivered=any(isinstance(verdict, Delivered) for verdict in verdicts),
            refused=any(isinstance(verdict, Unauthorised) for verdict in verdicts),
        )
        now = self._clock()
        result = plan(
            self.exporter,
            packet,
            exchange,
            verdicts,
            started=started,
            now=now,
            since=self.gate.resumed_at,
            probe=probe,
        )
        self.retries += result.retries
        if result.refused is not None:
            self.health.refused(result.refused, now)
        if result.trouble is not None:
            self.health.trouble(result.trouble, now)
        if result.refresh:
            self._prepare.renew(generation)
        return result

    # -- what must not happen ---------------------------------------------------------------------

    def _bug(self, error: BaseException) -> None:
        logger.error("%s: a bug in llmtee or a plug-in", self.exporter.name, exc_info=error)
        self._on_bug(error)

    def _log_failed(self, error: EventLogError) -> None:
        # What was claimed stays so in the log; it is taken back, as after a crash, when nothing is under way.
        self._must_recover = True
        self.health.trouble(str(error), self._clock())
