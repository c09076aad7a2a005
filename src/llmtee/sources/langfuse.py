"""Langfuse's history: traces from the oldest on, each with its observations and scores.

The list is asked for by time and not by page: each page begins with the time at which the last one ended, so that what
comes or goes meanwhile moves nothing. Source: Langfuse's public API reference, November 2026.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote

from pydantic import SecretStr

from llmtee.errors import ConfigError, HistoryIncomplete, InputError
from llmtee.formats.langfuse import FORMAT
from llmtee.jsonfields import as_count, as_list, as_object, as_text
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

PATH: Final = "/api/public/traces"
PAGE_SIZE: Final = 50
_LARGEST_PAGE: Final = 100
_GONE: Final = (404, 410)
_TRIES: Final = 3
_AGAIN: Final = "try again later, or ask Langfuse"


class Langfuse(SourceSettings):
    """Reads the traces of a Langfuse project, with their observations and scores.

    It asks once for each page of traces and once for each trace; ``rate`` keeps it below a plan's limit.
    """

    vendor: ClassVar[str] = "langfuse"
    needs_key: ClassVar[bool] = False  # it has two keys, and says itself which is missing

    public_key: Annotated[str | None, Env("LANGFUSE_PUBLIC_KEY")] = None
    """The project's public key, ``pk-lf-…``."""
    secret_key: Annotated[SecretStr | None, Env("LANGFUSE_SECRET_KEY")] = None
    """The project's secret key, ``sk-lf-…``."""
    base_url: Annotated[str, Env("LANGFUSE_BASE_URL", "LANGFUSE_HOST")] = (
        "https://cloud.langfuse.com"
    )
    """Where Langfuse answers, without a trailing slash; the cloud of the EU by default."""

    @classmethod
    def source(cls) -> Vendor[Langfuse]:
        """What reads with such settings."""
        return SOURCE


def auth(settings: Langfuse) -> Mapping[str, str]:
    """Basic authentication with the two keys.

    Raises:
        ConfigError: one is missing.
    """
    public = (settings.public_key or "").strip()
    secret = settings.secret_key.get_secret_value().strip() if settings.secret_key else ""
    if not public or not secret:
        raise ConfigError(
            "Langfuse needs two keys: pass Langfuse(public_key=…, secret_key=…), or set LANGFUSE_PUBLIC_KEY and "
            "LANGFUSE_SECRET_KEY"
        )
    token = base64.b64encode(f"{public}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def read(settings: Langfuse) -> Reader:
    """Reads traces by the time at which they began."""
    return _Reader(min(settings.max_items or PAGE_SIZE, _LARGEST_PAGE))


class _Reader:
    def __init__(self, size: int) -> None:
        self._size = size

    def start(self, window: Window) -> Position:
        return {
            "from": None if window.since is None else _iso(window.since),
            "until": _iso(window.until),
            "page": 1,
            "limit": None,
            "total": None,
            "edge": None,
            "seen": 0,
            "again": 0,
            "traces": None,
        }

    def requests(self, position: Position) -> Sequence[Request]:
        if position["traces"] is not None:
            paths = [f"{PATH}/{quote(own, safe='')}" for own in position["traces"]]
            return [Request("GET", path, may_be_gone=True) for path in paths]
        limit = position["limit"] or self._size
        query = {"limit": str(limit), "page": str(position["page"]), "fields": "core"}
        query |= {"orderBy": "timestamp.asc", "toTimestamp": position["until"]}
        if position["from"] is not None:
            query["fromTimestamp"] = position["from"]
        return [Request("GET", PATH, query=query)]

    def page(self, position: Position, exchanges: Sequence[Exchange]) -> Page:
        if position["traces"] is not None:
            return _read(position, exchanges)
        return _listed(position, exchanges[0])


def _listed(position: Position, exchange: Exchange) -> Page:
    """The first step: which traces there are."""
    raw = as_object(exchange.json, "")
    meta = as_object(raw.get("meta") or {}, "meta")
    rows = [as_object(row, f"data[{i}]") for i, row in enumerate(as_list(raw.get("data"), "data"))]
    total, size = _count(meta, "totalItems"), _count(meta, "limit")
    before = (position["page"] - 1) * size
    if len(rows) != min(size, max(0, total - before)):
        if position["again"] < _TRIES:  # rows and count may be of two moments
            return Page(items=(), next={**position, "again": position["again"] + 1})
        raise HistoryIncomplete(
            f"Langfuse's page {position['page']} has {len(rows)} traces of {total}, {size} a page: {_AGAIN}"
        )
    if position["page"] > 1 and total != position["total"]:
        # Something came or went within the time that fills whole pages: what is behind it has moved.
        return Page(items=(), next={**position, "page": 1, "total": total})
    pairs = [
        (as_text(row.get("id"), f"data[{i}].id"), row.get("timestamp"))
        for i, row in enumerate(rows)
    ]
    new, edge = beyond(position["edge"], pairs, "Langfuse's list of traces")
    where: dict[str, Any] = {
        **position,
        "edge": edge,
        "again": 0,
        "seen": position["seen"] + len(new),
        "end": before + len(rows) >= total,
    }
    if edge is not None and (position["edge"] is None or edge["at"] != position["edge"]["at"]):
        where |= {"from": edge["at"], "page": 1, "limit": None}
    elif position["limit"] is None:  # a whole page of one time
        where["limit"] = _LARGEST_PAGE
    else:
        where |= {"page": position["page"] + 1, "total": total}
    estimate = position["seen"] + total - before - (len(rows) - len(new))
    if new:
        return Page(items=(), next={**where, "traces": [pairs[i][0] for i in new]}, total=estimate)
    return Page(items=(), next=_following(where), total=estimate)


def _read(position: Position, exchanges: Sequence[Exchange]) -> Page:
    """The second step: the traces."""
    items: list[Item] = []
    notes = []
    for own, exchange in zip(position["traces"], exchanges, strict=True):
        if exchange.status in _GONE:
            notes.append(f"trace {own} was deleted while the history was read")
            continue
        trace = as_object(exchange.json, f"trace {own}")
        if trace.get("id") != own or not isinstance(trace.get("observations"), list):
            raise HistoryIncomplete(
                f"Langfuse's answer for trace {own} is not that trace with its observations: {_AGAIN}"
            )
        try:
            items += FORMAT.decode(trace)
        except InputError as error:
            raise InputError(error.reason, path=f"trace {own}: {error.path}") from None
    return Page(items=tuple(items), next=_following(position), notes=tuple(notes))


def _following(position: Position) -> Position | None:
    if position["end"]:
        return None
    return {**{key: value for key, value in position.items() if key != "end"}, "traces": None}


def _count(meta: Mapping[str, Any], key: str) -> int:
    value = as_count(meta.get(key), f"meta.{key}")
    if value is None:
        raise HistoryIncomplete(
            f"Langfuse's list of traces has no meta.{key}, so it cannot be told what is left: is base_url Langfuse's?"
        )
    return value


def _iso(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


SOURCE: Final[Vendor[Langfuse]] = only_read(
    name="langfuse",
    title="Langfuse",
    settings=Langfuse,
    auth=auth,
    read=read,
    parse=FORMAT.decode,
    docs="https://api.reference.langfuse.com",
)
