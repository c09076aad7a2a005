"""Where history comes from: a vendor's API, files, or an event log; as pages with a position each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from llmtee import bulk, config, registry
from llmtee.delivery import history
from llmtee.delivery.recorded import EventLog
from llmtee.errors import InputError, UsageError
from llmtee.migrate.fitting import time_of
from llmtee.model import Item, Supplement, SupplementBase
from llmtee.spec import ExporterSettings, Page, Position, Window

LOG_PREFIX = "log:"
_PAGE = 500

Given: TypeAlias = ExporterSettings | EventLog | str | Path | Sequence[str | Path]
"""What a user passes as the source."""


class Source(Protocol):
    """Something that history is read from."""

    @property
    def name(self) -> str:
        """In a word, for file names and people."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def whole_sessions(self) -> bool:
        """Whether a session comes whole, so that reading may stop after so many."""

    def identity(self) -> Any:
        """What it is, as JSON: a migration that goes on must have the same one. Holds no key."""

    def pages(
        self, window: Window, position: Position | None, failed: Callable[[str], None]
    ) -> Iterator[Page]:
        """The pages from a position on; ``failed`` is told of records that cannot be read."""


@dataclass(frozen=True)
class VendorSource:
    """A vendor's history, through its API."""

    settings: ExporterSettings

    @property
    def name(self) -> str:
        """The exporter's name."""
        return self.settings.exporter

    @property
    def title(self) -> str:
        """The vendor's name."""
        return registry.source(self.settings).title

    @property
    def whole_sessions(self) -> bool:
        """Conversations are whole; the events of a session may stand anywhere."""
        return registry.source(self.settings).grain == "conversation"

    def identity(self) -> Any:
        """The settings that say which account is read."""
        return identity_of(self.settings)

    def pages(
        self,
        window: Window,
        position: Position | None,
        failed: Callable[[str], None],  # noqa: ARG002 - a vendor's reader raises
    ) -> Iterator[Page]:
        """As the vendor's reader gives them."""
        return history.pages(self.settings, window, position=position)


@dataclass(frozen=True)
class StoredSource:
    """Items that can be read from the first again: files, or an event log. Its position is how many were read."""

    name: str
    title: str
    described: Any
    opened: Callable[[Callable[[InputError], None]], Iterable[Item | Supplement]]
    whole_sessions: bool = False

    def identity(self) -> Any:
        """What it was named by."""
        return self.described

    def pages(
        self, window: Window, position: Position | None, failed: Callable[[str], None]
    ) -> Iterator[Page]:
        """So many items each, without those outside of the window."""
        done = 0 if position is None else int(position["items"])
        items = iter(self.opened(lambda error: failed(str(error))))
        for _ in islice(items, done):
            pass
        while True:
            some = list(islice(items, _PAGE))
            done += len(some)
            wanted = tuple(item for item in some if _inside(item, window))
            yield Page(items=wanted, next={"items": done} if len(some) == _PAGE else None)
            if len(some) < _PAGE:
                return


def _inside(item: Item | Supplement, window: Window) -> bool:
    at = None if isinstance(item, SupplementBase) else time_of(item)
    return at is None or ((window.since is None or at >= window.since) and at < window.until)


def source_of(given: Given, form: str = "auto") -> Source:
    """The source that a user names: settings of a vendor, the name of one, ``log:DIR``, or paths.

    Args:
        given: as a user passes it.
        form: of files.

    Raises:
        UsageError: there is no such thing, or the vendor's history cannot be read.
        ConfigError: the vendor's settings are incomplete.
    """
    if isinstance(given, ExporterSettings):
        vendor = registry.source(given)
        if vendor.read is None:
            why = vendor.no_history or "its API has no way to read back what was written."
            raise UsageError(
                f"{vendor.title} cannot be read: {why.removesuffix('.')}. What llmtee recorded can be sent from its event log "
                f"(--from {LOG_PREFIX}DIR), and exports from files"
            )
        return VendorSource(config.resolve(given))
    if isinstance(given, str) and given.startswith(LOG_PREFIX):
        given = EventLog(given.removeprefix(LOG_PREFIX))
    if isinstance(given, EventLog):
        if not given.directory.is_dir():
            raise UsageError(f"{given.directory}: no such directory, so there is no event log")
        return LogSource(given)
    paths = [given] if isinstance(given, str | Path) else list(given)
    if not paths:
        raise UsageError("the source names nothing: a vendor, log:DIR, or files")
    return _files([str(path) for path in paths], form)


@dataclass(frozen=True)
class LogSource:
    """What llmtee recorded in a directory."""

    log: EventLog
    name: str = "log"
    whole_sessions: bool = False

    @property
    def title(self) -> str:
        """Where it is."""
        return f"the event log in {self.log.directory}"

    def identity(self) -> Any:
        """Its directory."""
        return {"log": os.path.realpath(self.log.directory)}

    def pages(
        self,
        window: Window,
        position: Position | None,
        failed: Callable[[str], None],  # noqa: ARG002 - what cannot be decoded is in the notes
    ) -> Iterator[Page]:
        """As the log gives them."""
        return self.log.pages(window, position=position)


def _files(paths: list[str], form: str) -> Source:
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        known = ", ".join(registry.vendor_names())
        raise UsageError(
            f"{missing[0]}: neither a vendor ({known}) nor a file; an event log is named log:DIR"
        )
    first = Path(paths[0]).name.partition(".")[0] or "files"
    return StoredSource(
        name=first if len(paths) == 1 else "files",
        title=paths[0] if len(paths) == 1 else f"{len(paths)} files",
        described={"files": [os.path.realpath(path) for path in paths], "format": form},
        opened=lambda failed: bulk.read(list(paths), form, on_error=failed),
    )


def identity_of(settings: ExporterSettings) -> dict[str, Any]:
    """Which account some settings lead to, as JSON, without keys and without what is only about the way there."""
    about_the_way = {
        *("api_key", "timeout", "concurrency", "rate", "max_items", "max_bytes", "compression"),
        *("transport", "quiet", "patience", "on_unknown", "where", "sample", "redact", "replay"),
    }
    told = settings.model_dump(mode="json", exclude=about_the_way, fallback=repr)
    return {"vendor": settings.vendor, **told}
