"""The part of a Tee that captures: what wraps a provider's client, and what captures call."""

from __future__ import annotations

from typing import TypeVar

from llmtee import registry
from llmtee.tee._recording import Recording

C = TypeVar("C")


class Capturing(Recording):
    """Records the calls that an application makes through a provider's SDK."""

    def wrap(self, client: C) -> C:
        """Captures the calls of a provider's client: OpenAI, Anthropic, Google genai, synchronous or asynchronous.

        The client stays what it is: its type, its methods' signatures, what they return and what they raise. Wrapping
        it again changes nothing; two Tees may wrap one client. See ``docs/capture.md``.

        Args:
            client: such as ``OpenAI()``.

        Returns:
            The same client.

        Raises:
            UsageError: it is no client of an SDK that llmtee knows.
        """
        registry.capture(client).wrap(client, self)
        return client

    def unwrap(self, client: C) -> C:
        """Ends what `wrap` began, for this Tee. A client that it did not wrap stays as it is.

        Returns:
            The same client.

        Raises:
            UsageError: it is no client of an SDK that llmtee knows.
        """
        registry.capture(client).unwrap(client, self)
        return client

    def capture_failed(self, error: Exception) -> None:
        """Takes note of an exception within a capture, which must not reach the application.

        Raises:
            Exception: ``error`` itself, in strict mode.
        """
        self._failed(error)
