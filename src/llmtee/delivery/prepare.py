"""What must exist at a vendor before the first write, such as Voker's fingerprint: made once, and again when stale."""

from __future__ import annotations

import asyncio

from llmtee.delivery.exporter import Exporter
from llmtee.delivery.gate import Gate
from llmtee.delivery.send import Send
from llmtee.spec import (
    Delivered,
    Exchange,
    Rejected,
    Retry,
    State,
    TooLarge,
    Unauthorised,
    Unknown,
    Verdict,
)


class Prepare:
    """Keeps one exporter's state."""

    def __init__(self, exporter: Exporter, gate: Gate, send: Send) -> None:
        self.state: State = {}
        """What the vendor's ``pack`` is given."""
        self.generation = 0
        """How often it was found to be stale."""
        self._exporter, self._gate, self._send = exporter, gate, send
        self._ready = False
        self._lock = asyncio.Lock()

    def renew(self, generation: int) -> None:
        """What was made in ``generation`` is stale."""
        if generation == self.generation:
            self.generation += 1
            self._ready, self.state = False, {}

    async def __call__(self) -> bool:
        """Whether what must exist does; makes it if it can."""
        async with self._lock:
            if self._ready:
                return True
            vendor, settings = self._exporter.vendor, self._exporter.settings
            request = vendor.prepare(settings, self.state)
            if request is None:
                self._ready = True
                return True
            if not await self._gate.admit():
                return False
            started = self._exporter.tuning.clock()
            exchange = await self._send(request)
            if exchange is None:
                return False
            result = self._judged(exchange)
            refused = isinstance(result, Unauthorised | Rejected | TooLarge)
            self._gate.answered(exchange, started, refused=refused)
            self._take(exchange, result)
            return self._ready

    def _judged(self, exchange: Exchange) -> State | Verdict:
        try:
            return self._exporter.vendor.prepared(exchange, self._exporter.settings, self.state)
        except BaseException:
            self._gate.abandoned()
            raise

    def _take(self, exchange: Exchange, result: State | Verdict) -> None:
        health, now = self._gate.health, self._exporter.tuning.clock()
        match result:
            case Retry(reason, after):
                health.unreachable(reason, now, after)
            case Unknown(reason):
                health.unreachable(reason, now, exchange.retry_after)
            case Unauthorised(reason) | Rejected(reason) | TooLarge(reason):
                health.refused(reason, now)
            case Delivered():
                self._ready = True
            case _:
                self._ready, self.state = True, result
