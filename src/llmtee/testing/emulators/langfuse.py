"""Langfuse's public API on 127.0.0.1, as far as llmtee reads it: the list of traces, and one trace with all that it has.

Behaves as the public API reference says (November 2026): a page has at most 100 traces, ``toTimestamp`` is exclusive,
and what the reference does not name is refused.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any

from llmtee.sources import Langfuse
from llmtee.testing.emulators._base import Answer, Call, Emulator, Route

_TRACES = "/api/public/traces"
_QUERY = {"page", "limit", "fields", "orderBy", "fromTimestamp", "toTimestamp"}
_DETAILS = ("input", "output", "metadata", "observations", "scores", "latency", "totalCost")


class LangfuseEmulator(Emulator):
    """A strict stand-in for Langfuse, to read from.

    Args:
        port: where to listen; 0 takes a free port.
        key: the secret key; the public one is `public_key`.
    """

    vendor = "langfuse"
    public_key = "pk-lf-emulator"
    routes = (
        Route("GET", _TRACES, "list_traces", write=False),
        Route("GET", _TRACES + "/{id}", "read_trace", write=False),
    )

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        super().__init__(port=port, key=key)
        self.forget()

    def forget(self) -> None:
        """Empties what is stored."""
        self.traces: dict[str, dict[str, Any]] = {}
        """Each with its observations and scores, as ``GET /api/public/traces/{id}`` answers it, by id."""

    def exporter(self, **settings: Any) -> Langfuse:
        """The settings of a reader, pointed at this emulator."""
        own = {"public_key": self.public_key, "secret_key": self.key, "base_url": self.url}
        return Langfuse.model_validate({**own, **settings})

    def credentials(self) -> Mapping[str, str]:
        """Basic authentication with the two keys."""
        token = base64.b64encode(f"{self.public_key}:{self.key}".encode()).decode()
        return {"authorization": f"Basic {token}"}

    def authorised(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers hold both keys."""
        return headers.get("authorization") == self.credentials()["authorization"]

    def refuse(self, status: int, message: str) -> Answer:
        """As Langfuse says what is wrong."""
        return Answer(status, {"error": "InvalidRequestError", "message": message})

    def list_traces(self, call: Call) -> Answer:
        """``GET /api/public/traces``: without what ``fields=core`` leaves out."""
        if unknown := call.query.keys() - _QUERY:
            return self.refuse(400, f"unknown query parameter {', '.join(sorted(unknown))}")
        page, limit = call.query.get("page", "1"), call.query.get("limit", "50")
        if not (page.isdecimal() and limit.isdecimal() and int(page) and 1 <= int(limit) <= 100):
            return self.refuse(400, "page must be at least 1, limit 1 to 100")
        field, _, direction = call.query.get("orderBy", "timestamp.desc").partition(".")
        if field != "timestamp" or direction not in ("asc", "desc"):
            return self.refuse(400, "orderBy: must be timestamp.asc or timestamp.desc")
        try:
            bounds = {
                key: _time(call.query[key]) for key in call.query if key.endswith("Timestamp")
            }
        except ValueError as error:
            return self.refuse(400, str(error))
        found = [
            trace
            for trace in self.traces.values()
            if bounds.get("fromTimestamp", _MIN) <= _time(trace["timestamp"])
            and _time(trace["timestamp"]) < bounds.get("toTimestamp", _MAX)
        ]
        found.sort(
            key=lambda one: (_time(one["timestamp"]), one["id"]), reverse=direction == "desc"
        )
        start = (int(page) - 1) * int(limit)
        shown = found[start : start + int(limit)]
        if call.query.get("fields") == "core":
            shown = [{key: one[key] for key in one if key not in _DETAILS} for one in shown]
        total = len(found)
        pages = -(-total // int(limit))
        meta = {"page": int(page), "limit": int(limit), "totalItems": total, "totalPages": pages}
        return Answer(200, {"data": shown, "meta": meta})

    def read_trace(self, call: Call) -> Answer:
        """``GET /api/public/traces/{id}``: with its observations and scores."""
        trace = self.traces.get(call.params["id"])
        if trace is None:
            return self.refuse(404, f"no trace {call.params['id']!r} in this project")
        return Answer(200, {"observations": [], "scores": [], **trace})


_MIN = dt.datetime.min.replace(tzinfo=dt.UTC)
_MAX = dt.datetime.max.replace(tzinfo=dt.UTC)


def _time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return time
