"""Each stage of the chain on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llmtee.delivery import Exporter, Tuning
from llmtee.delivery.breaker import Breakers
from llmtee.delivery.claim import Claim
from llmtee.delivery.gate import Gate
from llmtee.delivery.health import Health
from llmtee.delivery.judge import judge, plan
from llmtee.delivery.pack import pack
from llmtee.delivery.parcel import Packet, Parcel, halves
from llmtee.delivery.prepare import Prepare
from llmtee.delivery.recent import Recent
from llmtee.delivery.render import Render
from llmtee.delivery.send import Send
from llmtee.delivery.settle import Settle
from llmtee.errors import ConfigError
from llmtee.eventlog import Settlement, Work
from llmtee.model import Step
from llmtee.spec import Exchange, Failure, Request, WireItem

Make = Callable[..., Any]
T0 = 1_800_000_000.0


class Scripted:
    """A transport that answers with the given statuses, and remembers the requests."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.statuses, self.requests = list(statuses), list[Request]()

    async def send(self, request: Request) -> Exchange:
        self.requests.append(request)
        status = self.statuses.pop(0)
        if isinstance(status, Exception):
            raise status
        return Exchange(request, status=status, content=b'{"ticket": 7}')

    async def close(self) -> None:
        self.statuses.clear()


@pytest.fixture
def make(member: Make) -> Make:
    def make(vendor: str = "acme", transport: Any = None, **settings: Any) -> Exporter:
        tuning = Tuning(clock=lambda: T0, transport=lambda exporter: transport)
        of, resolved = member(vendor, **settings)
        return Exporter(vendor=of, settings=resolved, tuning=tuning)

    return make


@pytest.fixture
def log(world: Make) -> Any:
    """An event log that nobody delivers from, with ``record`` beside it."""
    one = world()
    one.chains[0].stop()
    return one


def _gate(exporter: Exporter, breakers: Breakers | None = None) -> Gate:
    breaker = (breakers or Breakers(exporter.tuning)).of(exporter.settings.base_url)
    return Gate(exporter, Health(exporter), breaker, lambda: None)


def _parcel(name: str, size: int = 1) -> Parcel:
    work = Work(f"event:{name}", 0, 0, 1, 1, 0, None)
    return Parcel(work, WireItem(name, {"id": name, "text": "x" * size}))


def test_claim_takes_what_is_new_and_due_oldest_first(log: Any, make: Make, call: Make) -> None:
    claim = Claim(make(), log.log)
    assert not claim.is_waiting()
    events = [call() for _ in range(5)]
    log.record(events)
    log.absorb()
    assert claim.is_waiting()
    assert not claim.advance()  # only conversations wait for all that is new
    assert [work.key for work in claim(T0, 2)] == [f"event:{one.id}" for one in events[:2]]
    assert len(claim(T0, 100)) == 3
    claim.recover()
    assert len(claim(T0, 100)) == 5


def test_render_gives_a_parcel_or_the_reason_why_not(log: Any, make: Make, call: Make) -> None:
    bugs: list[BaseException] = []
    exporter = make()
    events = [call("good"), Step(name="plan"), Step(name="bug")]
    log.record(events)
    log.absorb()
    render = Render(exporter, log.log, bugs.append, Recent())
    good, skipped, bug = (render(work) for work in Claim(exporter, log.log)(T0, 3))
    assert isinstance(good, Parcel)
    assert good.wire.body == {"id": events[0].id, "text": "good"}
    assert isinstance(skipped, Settlement)
    assert (skipped.outcome, skipped.reason) == ("skipped", "Acme has no steps")
    assert isinstance(bug, Settlement)
    assert bug.outcome == "dead"
    assert "a planted bug" in (bug.reason or "")
    assert isinstance(bugs[0], ZeroDivisionError)


def test_pack_fits_requests_to_the_limits(make: Make) -> None:
    exporter = make(max_items=4, max_bytes=300)
    parcels = [_parcel(str(number), 100) for number in range(7)]
    packed = pack(exporter, parcels, {})
    assert [parcel for packet in packed.packets for parcel in packet.parcels] == parcels
    assert all(packet.size <= 300 for packet in packed.packets)
    assert packed.settlements == []
    # One that is too large is shrunk, and one that cannot be is a dead letter; the others go.
    (packet,) = pack(exporter, [_parcel("large", 1000)], {}).packets
    assert 250 < packet.size <= 300
    tiny = pack(make(max_bytes=40), [_parcel("a"), _parcel("b" * 50)], {})
    assert [packet.parcels[0].wire.id for packet in tiny.packets] == ["a"]
    assert [settlement.outcome for settlement in tiny.settlements] == ["dead"]


def test_halves_keep_the_order() -> None:
    assert halves([1, 2, 3]) == [(1,), (2, 3)]  # type: ignore[list-item]
    assert halves([1]) == [(1,)]  # type: ignore[list-item]


def test_the_gate_lets_one_probe_through_and_takes_it_back(make: Make) -> None:
    now = T0
    exporter = make()
    tuning = replace(exporter.tuning, clock=lambda: now, breaker_failures=2)
    breakers = Breakers(tuning)
    exporter = replace(exporter, tuning=tuning)
    first, second = _gate(exporter, breakers), _gate(exporter, breakers)
    request = Request("POST", "/items")

    async def fail() -> None:
        assert await first.admit()
        first.answered(Exchange(request, failure=Failure.NOT_SENT), now)

    asyncio.run(fail())
    assert first.slots(now, 0) == 2
    asyncio.run(fail())
    assert (first.slots(now, 0), second.slots(now, 0)) == (0, 0)
    assert not asyncio.run(first.admit())
    now += first.left(now)
    assert (first.slots(now, 0), second.slots(now, 0), first.slots(now, 1)) == (1, 1, 0)
    assert first.probing(now)
    first.enter(now)
    assert second.slots(now, 0) == 0
    assert not asyncio.run(second.admit())
    first.leave()  # there was nothing to send after all
    second.enter(now)
    assert asyncio.run(second.admit())
    second.answered(Exchange(request, status=401), now, refused=True)
    assert first.host_stats().breaker == "closed"  # the host answers, whatever it says to the key


def test_send_marks_the_work_and_reports_what_came_of_it(log: Any, make: Make, call: Make) -> None:
    transport = Scripted(200, ConfigError("no key"), 200)
    exporter = make(transport=transport)
    gate = _gate(exporter)
    log.record([call()])
    log.absorb()
    works = Claim(exporter, log.log)(T0, 1)
    send = Send(exporter, log.log, gate)

    async def run() -> None:
        assert await gate.admit()
        got = await send(Request("POST", "/items"), works)
        assert got is not None
        assert got.status == 200
        # A crash now would leave the outcome unknown, and this vendor would be asked again.
        assert log.log.recover("acme", repeat=True) == 1
        assert await gate.admit()
        assert await send(Request("POST", "/items")) is None
        await send.close()

    asyncio.run(run())
    assert gate.health.paused
    assert transport.statuses == []


def test_prepare_is_done_once_and_again_when_stale(log: Any, make: Make) -> None:
    transport = Scripted(200, 200, 401)
    exporter = make(transport=transport, needs_ticket=True)
    gate = _gate(exporter)
    prepare = Prepare(exporter, gate, Send(exporter, log.log, gate))

    async def run() -> None:
        assert await asyncio.gather(prepare(), prepare()) == [True, True]
        assert prepare.state == {"ticket": 7}
        prepare.renew(prepare.generation)
        prepare.renew(prepare.generation - 1)  # somebody else found the same, later
        assert await prepare()
        prepare.renew(prepare.generation)
        assert not await prepare()

    asyncio.run(run())
    assert [request.path for request in transport.requests] == ["/ticket"] * 3
    assert gate.health.paused


@pytest.mark.parametrize(
    ("exchange", "probe", "attempts"),
    [
        ({"status": 503}, False, 1),
        ({"status": 503}, True, 0),
        ({"status": 500}, True, 1),
        ({"failure": Failure.UNANSWERED}, True, 0),
        ({"failure": Failure.UNANSWERED}, False, 1),
        ({"failure": Failure.NOT_SENT}, False, 0),
    ],
)
def test_judge_counts_what_may_be_the_items_fault(
    make: Make, exchange: dict[str, Any], probe: bool, attempts: int
) -> None:
    exporter, parcel = make(), _parcel("one")
    request = Request("POST", "/items", {"items": [parcel.wire.body]}, (parcel.wire,))
    ended = Exchange(request, **exchange)
    result = plan(
        exporter,
        Packet(request, (parcel,)),
        ended,
        judge(exporter, ended),
        started=T0 - 1,
        now=T0,
        probe=probe,
    )
    (settlement,) = result.settlements
    assert (settlement.outcome, settlement.attempts) == ("pending", attempts)
    assert settlement.first_at == (T0 - 1 if attempts else None)
    assert settlement.due_at is not None
    assert settlement.due_at > T0


def test_settle_stores_and_gives_back_what_is_left(log: Any, make: Make, call: Make) -> None:
    exporter = make()
    log.record([call() for _ in range(3)])
    log.absorb()
    works = Claim(exporter, log.log)(T0, 3)
    settle = Settle(exporter, log.log, Health(exporter), works)
    settle([Settlement(works[0], "delivered")])
    assert settle.left == works[1:]
    settle.release()
    assert settle.left == []
    counts = log.log.counts("acme")
    assert (counts.delivered, counts.pending) == (1, 2)
    assert len(Claim(exporter, log.log)(T0, 3)) == 2
