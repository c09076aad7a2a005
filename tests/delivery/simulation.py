"""Delivery in simulated time: a loop whose clock jumps to whatever is next, and a vendor that does as it is told.

Nothing here waits, and nothing depends on the machine: the same decisions give the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llmtee import jsontext
from llmtee.delivery import Exporter, Tuning
from llmtee.delivery.breaker import Breakers
from llmtee.delivery.chain import Chain
from llmtee.delivery.decode import decode
from llmtee.delivery.recent import Recent
from llmtee.eventlog import CANONICAL, END, Record
from llmtee.eventlog.sqlite import SqliteLog
from llmtee.spec import Exchange, ExporterSettings, Failure, Request, RetryPolicy, Vendor

START = 1_800_000_000.0
PLACES = ("delivered", "pending", "open", "dead", "unknown", "skipped")


class Crash(BaseException):
    """The process is gone."""


class _Selector(selectors.SelectSelector):
    """Does not wait, but lets the time pass."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.passed += timeout
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop in simulated time, in seconds from its start."""

    def __init__(self, now: float = 0.0) -> None:
        self._simulated = _Selector()
        self._simulated.passed = now
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.passed


@dataclass(frozen=True)
class Word:
    """What the vendor does with one request. Stored or not, and then answered or not."""

    status: int | None = 200
    words: str = "delivered"
    stored: bool = True
    after: float | None = None
    takes: float = 0.05
    headers: Mapping[str, str] = field(default_factory=dict)


OK = Word()
LOST = Word(None)
"""Stored, and the answer is lost."""
RESET = Word(None, stored=False)
REFUSED = Word(None, words="not sent", stored=False, takes=0.0)


@dataclass
class SimulatedVendor:
    """What a vendor has, and how it answers: ``answer(now, request)`` says."""

    answer: Callable[[float, Request], Word] = lambda now, request: OK
    stored: list[dict[str, Any]] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    """When each stored item came, in seconds from the start."""
    asked: list[tuple[float, int]] = field(default_factory=list)
    """When each request came, and how many items were in it."""
    busy: int = 0
    most_busy: int = 0

    def ids(self) -> Counter[str]:
        return Counter(item["id"] for item in self.stored)


class SimulatedTransport:
    """A ``Transport`` straight into a `SimulatedVendor`."""

    def __init__(self, vendor: SimulatedVendor, world: World, timeout: float) -> None:
        self._vendor, self._world, self._timeout = vendor, world, timeout

    async def send(self, request: Request) -> Exchange:
        vendor, world = self._vendor, self._world
        world.step()
        now = world.loop.time()
        vendor.asked.append((now, len(request.items)))
        word = vendor.answer(now, request)
        vendor.busy += 1
        vendor.most_busy = max(vendor.busy, vendor.most_busy)
        try:
            if word.stored and request.items:
                self._store(request, word.words, now)
            await asyncio.sleep(min(word.takes, self._timeout))
        finally:
            vendor.busy -= 1
        world.step()
        if word.status is None or word.takes >= self._timeout:
            not_sent = word.words == "not sent"
            failure = Failure.NOT_SENT if not_sent else Failure.UNANSWERED
            return Exchange(request, failure=failure, failure_text="simulated")
        headers = dict(word.headers)
        if word.after is not None:
            headers["retry-after"] = str(word.after)
        words = [word.words if word.stored else "retry"] * len(request.items)
        content = jsontext.dumps({"verdicts": words, "ticket": 1})
        return Exchange(request, status=word.status, headers=headers, content=content)

    def _store(self, request: Request, word: str, now: float) -> None:
        if word in ("delivered", "unknown", "not sent"):
            self._vendor.stored += request.body["items"]
            self._vendor.arrived += [now] * len(request.items)

    async def close(self) -> None:
        pass


class FlakyLog:
    """An event log whose process may end before or after any step."""

    def __init__(self, log: SqliteLog, world: World) -> None:
        self._log, self._world = log, world

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._log, name)
        if not callable(value):
            return value

        def step(*args: Any, **kwargs: Any) -> Any:
            self._world.step()
            result = value(*args, **kwargs)
            self._world.step()
            return result

        return step


class World:
    """An event log that survives, chains that may not, and simulated vendors, in simulated time."""

    def __init__(self, *members: tuple[Vendor[Any], ExporterSettings], **tuning: Any) -> None:
        self.loop = Loop()
        self.log = SqliteLog(None)
        self.vendors: dict[str, SimulatedVendor] = {}
        self.exporters: list[Exporter] = []
        self.chains: list[Chain] = []
        self.bugs: list[BaseException] = []
        self.ids: list[str] = []
        self.crash_in: int | None = None
        self.steps = 0
        self._dead = False
        self._tasks: list[asyncio.Task[None]] = []
        self.tuning = Tuning(
            **{
                "clock": lambda: START + self.loop.time(),
                "random": Random(7),
                "transport": self._transport,
                "probe_initial": 1.0,
                **tuning,
            }
        )
        for vendor, settings in members:
            self.vendors[settings.exporter] = SimulatedVendor()
            self.exporters.append(Exporter(vendor=vendor, settings=settings, tuning=self.tuning))
            self.log.register(self.exporters[-1].subscription)
        self.start()

    def _transport(self, exporter: Exporter) -> SimulatedTransport:
        vendor = self.vendors[exporter.name]
        return SimulatedTransport(vendor, self, exporter.settings.timeout)

    def step(self) -> None:
        """Between two of these the process may end."""
        self.steps += 1
        if self.crash_in is not None:
            self.crash_in -= 1
            self._dead |= self.crash_in <= 0
        if self._dead:
            raise Crash

    # -- the process ------------------------------------------------------------------------------

    def start(self) -> None:
        """A process begins to deliver."""
        breakers = Breakers(self.tuning)
        log: Any = FlakyLog(self.log, self)
        self.chains = [
            Chain(one, log, self.bugs.append, breakers, Recent()) for one in self.exporters
        ]
        self._tasks = [self.loop.create_task(chain.run(lambda: 0.0)) for chain in self.chains]

    def run(self, seconds: float) -> None:
        """Lets the time pass; a crash on the way is followed by a new process."""
        end = self.loop.time() + seconds
        while (left := end - self.loop.time()) > 0:
            pause = self.loop.create_task(asyncio.sleep(left))
            self.loop.run_until_complete(
                asyncio.wait([pause, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            )
            if self._dead or any(task.done() for task in self._tasks):
                self.restart()
            elif pause.done():
                break

    def restart(self) -> None:
        """The process is gone, whatever it did, and another begins."""
        self._dead = True
        now = self.loop.time()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._settle_all()
        self.loop.close()
        self.loop = Loop(now)
        self._dead, self.crash_in = False, None
        self.start()

    def _settle_all(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        with contextlib.suppress(Crash):
            self.loop.run_until_complete(
                asyncio.gather(*tasks, *self._tasks, return_exceptions=True)
            )

    def close(self) -> None:
        """Ends all of it. Twice is fine."""
        if self.loop.is_closed():
            return
        self._dead = True
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._settle_all()
        self.loop.close()
        self.log.close()

    # -- the application --------------------------------------------------------------------------

    def record(self, events: Iterable[Any]) -> None:
        """Events are logged, and read by the engine."""
        records = [
            Record(one.id, CANONICAL, jsontext.dumps(one.to_json()), self.tuning.clock())
            for one in events
        ]
        self._absorb(records)
        self.ids += [record.id for record in records]

    def end(self, session: str) -> None:
        """A session ends."""
        marker = f"end-{session}-{self.log.position(self.exporters[0].name)}-{self.loop.time()}"
        self._absorb([Record(marker, END, jsontext.dumps(session), self.tuning.clock())])

    def _absorb(self, records: list[Record]) -> None:
        for record in records:
            self.log.append(record)
        for number, record in self.log.journal(len(records)):
            self.log.absorb([number], decode(record))
        for chain in self.chains:
            chain.wake()

    def hurry(self) -> None:
        """Somebody waits."""
        for chain in self.chains:
            chain.gate.hurry()
            chain._hurried = True
            chain.wake()

    # -- the law ----------------------------------------------------------------------------------

    def places(self, name: str) -> dict[str, str | None]:
        """Where each recorded event stands."""
        return {one: self.log.outcome(name, one) for one in self.ids}

    def check(self) -> None:
        """Law 3: each event stands in exactly one place at each exporter, and the counts say so."""
        for exporter in self.exporters:
            counts = self.log.counts(exporter.name)
            places = Counter(self.places(exporter.name).values())
            assert set(places) <= set(PLACES), places
            assert {place: getattr(counts, place) for place in PLACES} == {
                place: places[place] for place in PLACES
            }
            assert counts.total == len(set(self.ids))
        assert self.bugs == []


SLOW = RetryPolicy(initial=0.5, jitter=0.5, maximum=30.0)
"""Like the vendors' own."""
