"""LangSmith's history: the traces of one project from the oldest on, each with all of its runs.

Runs are found by ``POST /runs/query`` with a cursor: first the root runs of a page, then the runs of each trace, since a
run does not say whose session it belongs to, and its root does. Source: LangSmith's public API reference and its Python
SDK, November 2026.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

from pydantic import SecretStr

from llmtee.errors import ConfigError, HistoryIncomplete, InputError
from llmtee.formats.langsmith import FORMAT
from llmtee.jsonfields import as_list, as_object, as_text, text_or_none
from llmtee.model import Item
from llmtee.spec import (
    Env,
    Exchange,
    Page,
    Position,
    Reader,
    Request,
    SourceSettings,
    Vendor,
    Window,
    beyond,
    only_read,
)

RUNS_PATH: Final = "/runs/query"
PROJECTS_PATH: Final = "/sessions"
PAGE_SIZE: Final = 25
"""Traces of a page: so many queries are asked in one step, and LangSmith lets few through at a time."""
RUNS: Final = 100
"""Of an answer at most."""
_ALWAYS: Final = "2000-01-01T00:00:00Z"
"""Before the first run there is. Where nothing is said, some versions of the API go back one day."""
_AGAIN: Final = "try again later, or ask LangSmith"
_FIELDS: Final = (
    *("id", "name", "run_type", "start_time", "end_time", "first_token_time", "status", "error"),
    *("inputs", "outputs", "extra", "events", "tags", "serialized", "feedback_stats"),
    *("parent_run_id", "trace_id", "dotted_order", "session_id", "reference_example_id"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "prompt_cost", "completion_cost"),
    "total_cost",
)


class LangSmith(SourceSettings):
    """Reads the runs of a LangSmith project. ``rate`` keeps it below a plan's limit."""

    vendor: ClassVar[str] = "langsmith"

    api_key: Annotated[SecretStr | None, Env("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")] = None
    """A personal or a service key."""
    base_url: Annotated[str, Env("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT")] = (
        "https://api.smith.langchain.com"
    )
    """Where LangSmith answers, without a trailing slash; the cloud of the USA by default."""
    project: Annotated[str | None, Env("LANGSMITH_PROJECT", "LANGCHAIN_PROJECT")] = None
    """The project's name; ``default`` is LangSmith's own where nothing else was said."""
    workspace_id: Annotated[str | None, Env("LANGSMITH_WORKSPACE_ID")] = None
    """The workspace, for a key that is good for several."""

    @classmethod
    def source(cls) -> Vendor[LangSmith]:
        """What reads with such settings."""
        return SOURCE


def auth(settings: LangSmith) -> Mapping[str, str]:
    """The key, and the workspace where the settings name one.

    Raises:
        ConfigError: there is no key.
    """
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not key:
        raise ConfigError(
            "LangSmith needs a key: pass LangSmith(api_key=…) or set LANGSMITH_API_KEY"
        )
    workspace = (settings.workspace_id or "").strip()
    return {"x-api-key": key, **({"x-tenant-id": workspace} if workspace else {})}


def read(settings: LangSmith) -> Reader:
    """Reads traces by the time at which their root run began.

    Raises:
        ConfigError: no project is named.
    """
    if not settings.project:
        raise ConfigError(
            "LangSmith needs a project to read: pass LangSmith(project=…) or set LANGSMITH_PROJECT"
        )
    return _Reader(settings.project, min(settings.max_items or PAGE_SIZE, RUNS))


class _Reader:
    def __init__(self, project: str, size: int) -> None:
        self._project, self._size = project, size

    def start(self, window: Window) -> Position:
        since = _ALWAYS if window.since is None else _iso(window.since)
        return {
            "since": since,
            "until": _iso(window.until),
            "project": None,
            "cursor": None,
            "edge": None,
            "open": None,
        }

    def requests(self, position: Position) -> Sequence[Request]:
        if position["project"] is None:
            query = {"name": self._project, "limit": "100"}
            return [Request("GET", PROJECTS_PATH, query=query)]
        if position["open"] is None:
            return [self._roots(position)]
        return [
            request
            for trace, cursor in position["open"]
            for request in self._trace(position["project"], trace, cursor)
        ]

    def page(self, position: Position, exchanges: Sequence[Exchange]) -> Page:
        if position["project"] is None:
            return Page(
                items=(), next={**position, "project": _project(exchanges[0], self._project)}
            )
        if position["open"] is None:
            return _listed(position, exchanges[0], self._size)
        return _read(position, exchanges)

    def _roots(self, position: Position) -> Request:
        body = {
            "session": [position["project"]],
            "is_root": True,
            "order": "asc",
            "limit": self._size,
            "start_time": position["since"],
            "filter": f'lt(start_time, "{position["until"]}")',
            "select": ["id", "start_time"],
        }
        return _query(body, position["cursor"])

    def _trace(self, project: str, trace: str, cursor: str | None) -> list[Request]:
        """The next runs of a trace; behind the first hundred with its root, which says whose they are."""
        about = {"session": [project], "start_time": _ALWAYS, "select": list(_FIELDS)}
        runs = _query({**about, "trace": trace, "order": "asc", "limit": RUNS}, cursor)
        return [runs] if cursor is None else [runs, _query({**about, "id": [trace], "limit": 1})]


def _query(body: Mapping[str, Any], cursor: str | None = None) -> Request:
    return Request("POST", RUNS_PATH, body={**body, **({"cursor": cursor} if cursor else {})})


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _project(exchange: Exchange, name: str) -> str:
    """The id of the project of that name."""
    for i, row in enumerate(as_list(exchange.json, "")):
        if as_object(row, f"[{i}]").get("name") == name:
            return as_text(row.get("id"), f"[{i}].id")
    raise ConfigError(
        f"LangSmith has no project {name!r}: see LangSmith(project=…), LANGSMITH_PROJECT, and the key's workspace"
    )


def _runs(exchange: Exchange, limit: int, used: str | None) -> tuple[list[Any], str | None]:
    """The runs of an answer, and the cursor behind them; ``None`` at the end."""
    raw = as_object(exchange.json, "")
    if "runs" not in raw:
        raise HistoryIncomplete("LangSmith's answer has no runs: is base_url LangSmith's?")
    runs = as_list(raw["runs"], "runs")
    cursors = as_object(raw.get("cursors") or {}, "cursors")
    cursor = text_or_none(cursors.get("next"), "cursors.next")
    if "next" not in cursors and len(runs) >= limit:
        raise HistoryIncomplete(
            f"LangSmith gave {len(runs)} runs and no cursors.next, so it cannot be told whether there are more: "
            f"{_AGAIN}"
        )
    if cursor is not None and cursor == used and runs:
        raise HistoryIncomplete(f"LangSmith gives the same cursor again, {cursor!r}: {_AGAIN}")
    return runs, cursor if runs else None


def _listed(position: Position, exchange: Exchange, size: int) -> Page:
    """The first step: which traces there are."""
    runs, cursor = _runs(exchange, size, position["cursor"])
    rows = [
        (as_text(run.get("id"), f"runs[{i}].id"), run.get("start_time"))
        for i, run in enumerate(runs)
    ]
    new, edge = beyond(position["edge"], rows, "LangSmith's list of runs")
    if len(new) != len(rows):
        raise HistoryIncomplete(f"LangSmith's list has a run a second time: {_AGAIN}")
    where = {**position, "edge": edge, "next": cursor}
    if rows:
        return Page(items=(), next={**where, "open": [[own, None] for own, _ in rows]})
    return Page(items=(), next=_following(where))


def _read(position: Position, exchanges: Sequence[Exchange]) -> Page:
    """The second step: the runs of the traces, as many as come in one answer each."""
    items: list[Item] = []
    notes: list[str] = []
    still_open = []
    answers = iter(exchanges)
    for trace, cursor in position["open"]:
        runs, after = _runs(next(answers), RUNS, cursor)
        above = [] if cursor is None else _runs(next(answers), RUNS, None)[0]
        if not _has_root(trace, [*above, *runs]):
            notes.append(f"trace {trace} was deleted while the history was read")
            continue
        items += _decoded(trace, above, runs)
        if after is not None:
            still_open.append([trace, after])
            if cursor is None:
                notes.append(
                    f"trace {trace} has more than {RUNS} runs, and is read in parts: usage that a run repeats of "
                    "the runs below it is told apart within a part only"
                )
    following = {**position, "open": still_open} if still_open else _following(position)
    return Page(items=tuple(items), next=following, notes=tuple(notes))


def _has_root(trace: str, runs: Sequence[Any]) -> bool:
    return any(as_object(run, "runs").get("id") == trace for run in runs)


def _decoded(trace: str, above: Sequence[Any], runs: Sequence[Any]) -> list[Item]:
    """The events of some runs, which inherit from the root above, without that one."""
    try:
        known = {item.id for item in FORMAT.decode({"runs": above})} if above else set()
        rest = [run for run in runs if run.get("id") != trace or not above]
        return [item for item in FORMAT.decode({"runs": [*above, *rest]}) if item.id not in known]
    except InputError as error:
        raise InputError(error.reason, path=f"trace {trace}: {error.path}") from None


def _following(position: Position) -> Position | None:
    if position["next"] is None:
        return None
    where = {key: value for key, value in position.items() if key != "next"}
    return {**where, "cursor": position["next"], "open": None}


def _iso(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


SOURCE: Final[Vendor[LangSmith]] = only_read(
    name="langsmith",
    title="LangSmith",
    settings=LangSmith,
    auth=auth,
    read=read,
    parse=FORMAT.decode,
    docs="https://docs.langchain.com/langsmith/smith-api",
    concurrency=2,
)
