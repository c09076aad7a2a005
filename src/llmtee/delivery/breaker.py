"""A circuit breaker for each host: one that does not answer is left alone, and asked now and then by one item.

Pure, apart from the jitter: time is passed in. Exporters that talk to one host share its breaker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from llmtee.delivery.exporter import Tuning
from llmtee.delivery.pacing import Wait
from llmtee.delivery.retry import seconds_until_next

BreakerState = Literal["closed", "open", "half-open"]

_PORTS = {"http": 80, "https": 443}


class Breaker:
    """Closed: all may send. Open: nobody may. Half-open: one may, with one item, to see whether it is over."""

    def __init__(self, host: str, tuning: Tuning) -> None:
        self.host = host
        self.failures = 0
        """On end."""
        self.resumed_at = 0.0
        """Unix seconds when it was closed again; giving an item up counts from here."""
        self._tuning = tuning
        self._open = False
        self._times = 0
        self._wait = Wait()
        self._prober: object | None = None
        self._listeners: list[Callable[[], None]] = []

    def state(self, now: float) -> BreakerState:
        """As its name says."""
        if not self._open:
            return "closed"
        return "open" if self._wait.left(now) else "half-open"

    def left(self, now: float) -> float:
        """Seconds until a probe may go; 0 when it is closed or half-open."""
        return self._wait.left(now) if self._open else 0.0

    def may_send(self, now: float, who: object) -> bool:
        """Whether ``who`` may send now: anybody while it is closed, and one at a time, with a probe, while half-open."""
        if not self._open or self._prober is who:
            return True
        return self._prober is None and not self._wait.left(now)

    def is_prober(self, who: object) -> bool:
        """Whether ``who`` holds the probe."""
        return self._prober is who

    def probe(self, who: object) -> None:
        """``who`` sends the probe; it must come to `worked`, `failed` or `give_back`."""
        self._prober = who

    def give_back(self, who: object) -> None:
        """The probe was not sent after all, or said nothing; another may try."""
        if self._prober is who:
            self._prober = None
            self._tell()

    def worked(self, now: float) -> None:
        """The host answered."""
        self.failures = 0
        if self._open:
            self._open, self._prober, self._times = False, None, 0
            self._wait.end()
            self.resumed_at = now
            self._tell()

    def failed(self, now: float, who: object, after: float | None = None) -> None:
        """The host did not answer, or only that it cannot.

        Args:
            now: unix seconds.
            who: sent the request. While the breaker is open only the probe says something new.
            after: seconds that the host asked to be left alone.
        """
        self.failures += 1
        if self._open and self._prober is not who:
            return
        if not self._open and self.failures < self._tuning.breaker_failures:
            return
        self._open, self._prober = True, None
        self._times += 1
        policy = self._tuning.retry or self._tuning.breaker
        self._wait.begin(now, seconds_until_next(policy, self._times, self._tuning.random, after))
        self._tell()

    def hurry(self) -> None:
        """Somebody waits: the next probe may go at once."""
        self._wait.end()

    def listen(self, listener: Callable[[], None]) -> None:
        """``listener`` is called when others may send, or may not, from now on."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


class Breakers:
    """The breakers of one engine, by host."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._breakers: dict[str, Breaker] = {}

    def of(self, base_url: str) -> Breaker:
        """The breaker of an address: of its scheme, host and port."""
        url = urlsplit(base_url)
        port = url.port or _PORTS.get(url.scheme, 0)
        name = url.hostname or ""
        host = f"{url.scheme}://{f'[{name}]' if ':' in name else name}:{port}"
        return self._breakers.setdefault(host, Breaker(host, self._tuning))
