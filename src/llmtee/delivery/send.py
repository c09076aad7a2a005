"""Fifth stage: a request leaves, and its exchange comes back. The only stage that does I/O."""

from __future__ import annotations

from collections.abc import Sequence

from llmtee.delivery.exporter import Exporter, Transport
from llmtee.delivery.gate import Gate
from llmtee.delivery.transport import open_transport
from llmtee.errors import ConfigError
from llmtee.eventlog import EventLog, Work
from llmtee.spec import Exchange, Request

_IDEMPOTENT = ("PUT", "DELETE")
"""Sent twice is sent once, by RFC 9110 §9.2.2, whatever the vendor recognises of its other requests."""


class Send:
    """Sends for one exporter."""

    def __init__(self, exporter: Exporter, log: EventLog, gate: Gate) -> None:
        self._exporter, self._log, self._gate = exporter, log, gate
        self._transport: Transport | None = None

    async def __call__(self, request: Request, works: Sequence[Work] = ()) -> Exchange | None:
        """Sends an admitted request with these units of work in it; the gate must then be told how it went.

        ``None`` when it cannot be sent as the exporter is configured: that pauses the exporter, and the gate was told.
        """
        try:
            if works and request.method not in _IDEMPOTENT:
                # So that a crash from here on is known to leave the outcome unknown.
                self._log.sending(self._exporter.name, works)
            if self._transport is None:
                self._transport = open_transport(self._exporter)
            return await self._transport.send(request)
        except ConfigError as error:
            self._gate.abandoned()
            self._gate.health.refused(str(error), self._exporter.tuning.clock())
            return None
        except BaseException:
            self._gate.abandoned()
            raise

    async def close(self) -> None:
        """Closes all connections."""
        if self._transport is not None:
            await self._transport.close()
