"""A backend for OTLP traces on 127.0.0.1, as JSON over HTTP.

Behaves as the OTLP specification 1.9 says, and holds every field to its JSON encoding. Spans that are sent twice are
stored twice, because the specification promises nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmtee.testing.emulators._base import Answer, Call, Emulator, Route


class OTLPEmulator(Emulator):
    """A strict stand-in for an OTLP backend.

    Args:
        port: where to listen; 0 takes a free port.
        key: the only bearer token that is accepted.
    """

    vendor = "otlp"
    reads_gzip = True
    routes = (Route("POST", "/v1/traces", "export"),)

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        super().__init__(port=port, key=key)
        self.refused_names: set[str] = set()
        """Names of spans that are refused one by one, as in a partial success."""
        self.invalid_names: set[str] = set()
        """Names of spans for which all of a request is refused with 400."""
        self.forget()

    def forget(self) -> None:
        """Empties what was stored."""
        self.spans: list[dict[str, Any]] = []
        """As they came, in order."""

    @property
    def traces(self) -> dict[str, list[dict[str, Any]]]:
        """The spans of each trace, in order."""
        found: dict[str, list[dict[str, Any]]] = {}
        with self.lock:
            for span in self.spans:
                found.setdefault(span["traceId"], []).append(span)
        return found

    def refuse(self, status: int, message: str) -> Answer:
        """The shape that the specification wants: ``google.rpc.Status``."""
        codes = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 8, 429: 8, 503: 14}
        return Answer(status, {"code": codes.get(status, 2), "message": message})

    def export(self, call: Call) -> Answer:
        """``POST /v1/traces``: all, or all but those that are refused by name."""
        if (invalid := self._invalid(call)) is not None:
            return invalid
        sent = list(_spans(call.body))
        kept = [span for span in sent if span["name"] not in self.refused_names]
        self.spans += kept
        return self._answer_of(len(sent) - len(kept))

    def partial(self, call: Call) -> Answer:
        """Stores the first half."""
        if (invalid := self._invalid(call)) is not None:
            return invalid
        sent = list(_spans(call.body))
        kept = sent[: len(sent) // 2]
        self.spans += kept
        return self._answer_of(len(sent) - len(kept))

    def _invalid(self, call: Call) -> Answer | None:
        if not call.headers.get("content-type", "").startswith("application/json"):
            return self.refuse(415, "content-type must be application/json")
        problem = self.validate("traces.json", call.body)
        if problem is not None:
            return self.refuse(400, problem)
        if any(span["name"] in self.invalid_names for span in _spans(call.body)):
            return self.refuse(400, "a span is invalid")
        return None

    def _answer_of(self, refused: int) -> Answer:
        if not refused:
            return Answer(200, {"partialSuccess": {}})
        told = {"rejectedSpans": str(refused), "errorMessage": "spans were refused"}
        return Answer(200, {"partialSuccess": told})


def _spans(body: Any) -> Iterator[dict[str, Any]]:
    for group in body["resourceSpans"]:
        for scope in group["scopeSpans"]:
            yield from scope["spans"]
