"""LangSmith's API on 127.0.0.1, as far as llmtee reads it: projects by name, and the query of runs.

Behaves as the public API reference says (November 2026): a page has at most 100 runs, a cursor leads to the next, and
what the reference does not name is refused. Of the filter language it knows ``lt(start_time, "…")``.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any

from llmtee.sources import LangSmith
from llmtee.testing.emulators._base import Answer, Call, Emulator, Route

_KEYS = {
    "session",
    "is_root",
    "order",
    "limit",
    "start_time",
    "filter",
    "select",
    "trace",
    "id",
    "cursor",
}
_FILTER = re.compile(r'lt\(start_time, "([^"]+)"\)')


class LangSmithEmulator(Emulator):
    """A strict stand-in for LangSmith, to read from.

    Args:
        port: where to listen; 0 takes a free port.
        key: the only key that is accepted.
    """

    vendor = "langsmith"
    routes = (
        Route("GET", "/sessions", "list_projects", write=False),
        Route("POST", "/runs/query", "query_runs", write=False),
    )

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        super().__init__(port=port, key=key)
        self.forget()

    def forget(self) -> None:
        """Empties what is stored."""
        self.projects: dict[str, str] = {"support": "00000000-0000-4000-8000-000000000001"}
        """Ids by name."""
        self.runs: dict[str, dict[str, Any]] = {}
        """As the query answers them, by id; ``session_id`` names the project."""

    def exporter(self, **settings: Any) -> LangSmith:
        """The settings of a reader, pointed at this emulator and the project ``support``."""
        own = {"api_key": self.key, "base_url": self.url, "project": "support"}
        return LangSmith.model_validate({**own, **settings})

    def credentials(self) -> Mapping[str, str]:
        """The key, as LangSmith wants it."""
        return {"x-api-key": self.key}

    def authorised(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers hold the key."""
        return headers.get("x-api-key") == self.key

    def refuse(self, status: int, message: str) -> Answer:
        """As LangSmith says what is wrong."""
        return Answer(status, {"detail": message})

    def list_projects(self, call: Call) -> Answer:
        """``GET /sessions``: the projects whose name is ``name``, or all."""
        wanted = call.query.get("name")
        found = [
            {"id": own, "name": name}
            for name, own in self.projects.items()
            if wanted in (None, name)
        ]
        return Answer(200, found)

    def query_runs(self, call: Call) -> Answer:
        """``POST /runs/query``: newest first by default."""
        body = call.body
        if not isinstance(body, dict) or (unknown := body.keys() - _KEYS):
            return self.refuse(
                422, f"unknown fields {sorted(unknown)}" if isinstance(body, dict) else "no object"
            )
        limit, order = body.get("limit", 100), body.get("order", "desc")
        if not isinstance(limit, int) or not 1 <= limit <= 100 or order not in ("asc", "desc"):
            return self.refuse(422, "limit must be 1 to 100, order asc or desc")
        until = _FILTER.fullmatch(body["filter"]) if "filter" in body else None
        if "filter" in body and until is None:
            return self.refuse(400, f"cannot parse filter {body['filter']!r}")
        if not body.get("session"):
            return self.refuse(400, "At least one of session, id or trace must be specified")
        found = [run for run in self.runs.values() if _fits(run, body, until and until[1])]
        found.sort(key=_place, reverse=order == "desc")
        if body.get("cursor") is not None:
            try:
                after = tuple(json.loads(base64.b64decode(body["cursor"], validate=True)))
            except ValueError:
                return self.refuse(400, "Invalid cursor")
            found = [
                run
                for run in found
                if (_place(run) > after) == (order == "asc") and _place(run) != after
            ]
        shown = found[:limit]
        cursor = None
        if len(found) > limit:
            cursor = base64.b64encode(json.dumps(_place(shown[-1])).encode()).decode()
        selected = body.get("select")
        rows = [
            {key: run[key] for key in run if selected is None or key in selected} for run in shown
        ]
        return Answer(200, {"runs": rows, "cursors": {"next": cursor, "prev": None}})


def _place(run: Mapping[str, Any]) -> tuple[str, str]:
    return _time(run["start_time"]).isoformat(timespec="microseconds"), run["id"]


def _fits(run: Mapping[str, Any], body: Mapping[str, Any], until: str | None) -> bool:
    began = _time(run["start_time"])
    return (
        run["session_id"] in body["session"]
        and (not body.get("is_root") or run.get("parent_run_id") is None)
        and ("trace" not in body or run["trace_id"] == body["trace"])
        and ("id" not in body or run["id"] in body["id"])
        and ("start_time" not in body or began >= _time(body["start_time"]))
        and (until is None or began < _time(until))
    )


def _time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)
