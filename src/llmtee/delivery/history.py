"""Reads a vendor's history: sends what its `Reader` asks for, and gives the pages. Knows no vendor.

One step of a reader may ask for several things; they are asked for at the same time, as many as the vendor's
concurrency lets, at the exporter's rate. What fails is asked for again by the vendor's retry policy, no earlier than a
``Retry-After`` says, for `PATIENCE` seconds at most: then reading ends with an error, and goes on from the last page's
``next`` whenever it is started again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from typing import Final

from llmtee import config, registry
from llmtee.delivery.background import Background
from llmtee.delivery.exporter import Exporter, Transport, Tuning
from llmtee.delivery.pacing import OVERLOADED, Pacing, quota_of
from llmtee.delivery.retry import is_exhausted, seconds_until_next
from llmtee.delivery.transport import load_transport, open_transport
from llmtee.errors import (
    ApiUnauthorised,
    ApiUnavailable,
    ApiUnreachable,
    HistoryIncomplete,
    UsageError,
)
from llmtee.spec import (
    Exchange,
    ExporterSettings,
    Failure,
    Page,
    Position,
    Reader,
    Request,
    Window,
    api_error,
    plain_error,
)
from llmtee.spec.verdict import RETRYABLE

PATIENCE: Final = 900.0
"""Seconds for which one request is repeated."""
ANSWER_SECONDS: Final = 300.0
"""For one answer, unless the settings say otherwise: a page of long conversations takes its time."""
ANSWER_BYTES: Final = 256_000_000
"""What is read of an answer at most."""
_GONE: Final = (404, 410)


def pages(
    settings: ExporterSettings,
    window: Window,
    *,
    position: Position | None = None,
    tuning: Tuning | None = None,
    patience: float = PATIENCE,
) -> Generator[Page, None, None]:
    """The pages of a vendor's history, from the first or from a position.

    Reads when it is asked for a page, and not ahead; its connections live in a thread that begins with the first page
    and ends with the last, or when the generator is closed. So it works where an event loop runs, as in a notebook.

    Args:
        settings: an exporter to the vendor, such as ``HoneyHive(project="Simple RAG")``; what it does not say comes
            from environment and file.
        window: what is read.
        position: the ``next`` of an earlier page of the same window, with which reading goes on.
        tuning: for tests and unusual hosts.
        patience: seconds for which one request is repeated when it fails.

    Raises:
        ConfigError: the key is missing, or a setting is invalid.
        HistoryIncomplete: the vendor has no history to read, or it does not add up.
        ApiError: a request failed for good.
        InputError: an answer is not of the vendor's shape.
    """
    reading = _Reading(settings, window, position, tuning, patience)
    return _pages(reading)


def apages(
    settings: ExporterSettings,
    window: Window,
    *,
    position: Position | None = None,
    tuning: Tuning | None = None,
    patience: float = PATIENCE,
) -> AsyncGenerator[Page, None]:
    """The same for asyncio, in the loop of the caller. Close it (``contextlib.aclosing``) when it is left half-way."""
    return _apages(_Reading(settings, window, position, tuning, patience))


def _pages(reading: _Reading) -> Generator[Page, None, None]:
    process = os.getpid()
    background = Background("llmtee-history", reading.close)
    try:
        while not reading.done:
            if os.getpid() != process:
                raise UsageError("this reading began before the process forked: begin another")
            step = background.begin(reading.step())
            try:
                page = step.result()
            except CancelledError:
                raise UsageError("this reading was closed while a page was read") from None
            except BaseException:
                step.cancel()  # such as Ctrl-C: nobody waits for the page any more
                raise
            yield page
    finally:
        if os.getpid() == process:
            background.end()


async def _apages(reading: _Reading) -> AsyncGenerator[Page, None]:
    try:
        while not reading.done:
            yield await reading.step()
    finally:
        await reading.close()


class _Reading:
    """One reading, from its position on."""

    def __init__(
        self,
        settings: ExporterSettings,
        window: Window,
        position: Position | None,
        tuning: Tuning | None,
        patience: float,
    ) -> None:
        vendor = registry.source(settings)
        if vendor.read is None:
            why = vendor.no_history or "its API has no way to read back what was written"
            raise HistoryIncomplete(f"{vendor.title} has no history to read: {why}")
        resolved = config.resolve(settings)
        if "timeout" not in resolved.model_fields_set:
            resolved = resolved.model_copy(update={"timeout": ANSWER_SECONDS})
        exporter = Exporter(
            vendor=vendor,
            settings=resolved,
            tuning=tuning or Tuning(),
            answer_bytes=ANSWER_BYTES,
        )
        load_transport(exporter)
        self._reader: Reader = vendor.read(resolved)
        self._asker = _Asker(exporter, patience)
        self._again = 0
        self._position: Position | None = (
            self._reader.start(window) if position is None else position
        )

    @property
    def done(self) -> bool:
        """Whether there is no further page."""
        return self._position is None

    async def step(self) -> Page:
        """The next page."""
        position = self._position
        assert position is not None  # noqa: S101 - by `done`
        if self._again:
            await self._asker.wait(self._again)
        exchanges = await self._asker.answers(self._reader.requests(position))
        page = self._reader.page(position, exchanges)
        if page.next == position:
            raise HistoryIncomplete(
                f"reading stands still at {dict(position)!r:.200}: a page named its own position as the next"
            )
        self._position, self._again = page.next, page.again
        return page

    async def close(self) -> None:
        """Closes all connections."""
        await self._asker.close()


class _Asker:
    """Sends requests until they are answered, at the exporter's pace."""

    def __init__(self, exporter: Exporter, patience: float) -> None:
        self._exporter = exporter
        self._policy = replace(
            exporter.retry, give_up_after=min(patience, exporter.retry.give_up_after)
        )
        self._pacing = Pacing(concurrency=exporter.concurrency, rate=exporter.settings.rate)
        self._busy = 0
        self._changed = asyncio.Event()
        self._transport: Transport | None = None
        self._understood = False
        """Whether the vendor has answered anything well: then a page of HTML is trouble, and not a wrong address."""

    async def answers(self, requests: Sequence[Request]) -> list[Exchange]:
        """The answers, all of them good, in the order of the requests."""
        if not requests:
            raise HistoryIncomplete("the reader asked for nothing, and yet is not at the end")
        tasks = [asyncio.ensure_future(self._answer(request)) for request in requests]
        try:
            return await asyncio.gather(*tasks)
        finally:  # when one has failed for good, or nobody waits any more
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def wait(self, again: int) -> None:
        """Waits before what did not add up is read again."""
        await asyncio.sleep(
            seconds_until_next(self._exporter.retry, again, self._exporter.tuning.random)
        )

    async def close(self) -> None:
        """Closes all connections."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _answer(self, request: Request) -> Exchange:
        clock, attempts = self._exporter.tuning.clock, 0
        began = clock()
        while True:
            await self._admitted()
            attempts += 1
            exchange = await self._exchange(request)
            if self._is_good(exchange):
                return exchange
            wait = seconds_until_next(
                self._policy, attempts, self._exporter.tuning.random, exchange.retry_after
            )
            elapsed = clock() - began
            if not self._may_help(exchange) or is_exhausted(self._policy, attempts, elapsed + wait):
                raise self._error(exchange, attempts)
            await asyncio.sleep(wait)

    async def _exchange(self, request: Request) -> Exchange:
        clock = self._exporter.tuning.clock
        if self._transport is None:
            self._transport = open_transport(self._exporter)
        started = clock()
        self._pacing.started(started)
        self._busy += 1
        try:
            exchange = await self._transport.send(request)
        finally:
            self._busy -= 1
            self._changed.set()
        status = exchange.status
        good = self._is_good(exchange)
        self._understood |= good
        self._pacing.answered(
            clock(),
            started=started,
            well=good,
            overloaded=status in OVERLOADED or exchange.failure is Failure.UNANSWERED,
            # Whoever asks too often is asked to wait, and not just this one request.
            hold=exchange.retry_after or 0.0 if status in OVERLOADED else 0.0,
            quota=quota_of(exchange.headers, exchange.received_at),
        )
        return exchange

    async def _admitted(self) -> None:
        """Waits for the next request's turn."""
        while not self._pacing.slots(now := self._exporter.tuning.clock(), self._busy):
            self._changed.clear()
            left = self._pacing.left(now) or None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    def _is_good(self, exchange: Exchange) -> bool:
        status = exchange.status
        if exchange.failure is not None or status is None:
            return False
        if 200 <= status < 300:
            return not _is_page(exchange) and len(exchange.content) < self._exporter.answer_bytes
        return exchange.request.may_be_gone and status in _GONE and not _is_page(exchange)

    def _may_help(self, exchange: Exchange) -> bool:
        """Whether the same request may do better. Reading changes nothing, so it is always safe."""
        status = exchange.status
        if exchange.failure is not None or status is None:
            return True
        if 200 <= status < 300:
            return self._understood and _is_page(exchange)
        return status in RETRYABLE or status >= 500

    def _error(self, exchange: Exchange, attempts: int) -> Exception:
        status, tried = exchange.status, f" (after {attempts} tries)" if attempts > 1 else ""
        if status is None or not 200 <= status < 300:
            error = plain_error(exchange)
            needs = exchange.request.needs if isinstance(error, ApiUnauthorised) else ""
            reason = f"{error.reason} ({needs})" if needs else error.reason
            return api_error(type(error), exchange, reason + tried, error.type)
        if _is_page(exchange):
            reason = f"the answer is a page, and not the vendor's (is base_url right?){tried}: {exchange.excerpt}"
            return api_error(ApiUnreachable, exchange, reason)
        reason = (
            f"an answer of more than {self._exporter.answer_bytes:,} bytes: read a shorter window"
        )
        return api_error(ApiUnavailable, exchange, reason)


def _is_page(exchange: Exchange) -> bool:
    """Whether an answer is HTML, as proxies, portals and wrong addresses answer."""
    return exchange.content.lstrip()[:1] == b"<"
