"""`Migration`: history from one place to a vendor, in steps that can be stopped and gone on with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llmtee import config, registry
from llmtee.bulk import window_of
from llmtee.delivery import Exporter, Tuning
from llmtee.errors import EventLogError, UsageError
from llmtee.eventlog import Leadership
from llmtee.migrate.counting import keeps_properties, make_plan
from llmtee.migrate.fitting import Times
from llmtee.migrate.plan import Plan, no_times
from llmtee.migrate.report import Reading, Report
from llmtee.migrate.run import Progress, send
from llmtee.migrate.source import Given, Source, identity_of, source_of
from llmtee.migrate.staging import Held, Staging
from llmtee.migrate.verify import Verification
from llmtee.migrate.verifying import verified
from llmtee.model import Item, Supplement, SupplementBase, load_supplement
from llmtee.privacy import Redaction
from llmtee.spec import ExporterSettings, Window

_FORM = 1
_STOPPED = (
    "reading stopped at the limit: feedback that the source lists behind its sessions was not read"
)


class Migration:
    """Moves history from a vendor, files or an event log to a vendor. A context manager; one process at a time.

        with llmtee.Migration(HoneyHive(project="Simple RAG"), Inkeep()) as migration:
            plan = migration.plan()      # reads the source; nothing is sent
            if plan.problem is None:
                report = migration.run()

    All it knows is in its directory: what was read, how far it is, and the event log from which it is delivered.
    Killed at any moment, the same call on the same directory goes on; a second run sends nothing again.
    """

    def __init__(
        self,
        source: Given,
        target: ExporterSettings,
        *,
        dir: str | Path | None = None,  # noqa: A002 - the name that users type
        format: str = "auto",  # noqa: A002 - likewise
        since: dt.datetime | str | None = None,
        until: dt.datetime | str | None = None,
        limit: int | None = None,
        times: Times = "stop",
        redact: Redaction | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Opens the directory, or begins it.

        Args:
            source: settings of the vendor to read, paths of files, or ``EventLog(dir)`` or ``"log:DIR"`` for
                what llmtee recorded.
            target: settings of the vendor to write to. Its ``where``, ``sample`` and ``redact`` say what leaves, its
                ``rate`` how fast.
            dir: the directory; ``./llmtee-migration-SOURCE-TARGET`` by default.
            format: of files, as `llmtee.read` takes it.
            since: only what began since then; ISO 8601 or a ``datetime``, UTC where it has no zone.
            until: and before that; by default when the migration began.
            limit: only so many sessions, in the order in which they are read.
            times: what to do where the target cannot date things in the past: ``"stop"``, ``"drop"`` the times, or
                write them into ``"properties"``.
            redact: what is taken out before anything is kept in the directory.
            tuning: of delivery; for tests.

        Raises:
            UsageError: source, target or options are of no use; the directory holds a migration with other options, or
                another process is at work in it.
            ConfigError: a key is missing.
            EventLogError: the directory cannot be used.
        """
        if limit is not None and limit < 1:
            raise UsageError("limit must be 1 or more sessions")
        if times not in ("stop", "drop", "properties"):
            raise UsageError(f"times must be stop, drop or properties, not {times!r}")
        self.source: Source = source_of(source, format)
        vendor = registry.vendor(target.vendor)
        self._exporter = Exporter(
            vendor=vendor,
            settings=vendor.for_history(config.resolve(target)),
            tuning=tuning or Tuning(),
        )
        self._tuning, self._redact, self.times = tuning, redact, times
        self.directory = Path(
            dir or f"llmtee-migration-{self.source.name}-{self._exporter.name}"
        ).expanduser()
        self._lock = Leadership(self.directory)
        try:
            if not self._lock.acquire():
                raise UsageError(f"{self.directory}: another process is at work in it")
        except OSError as error:
            raise EventLogError(f"migration in {self.directory}: {error}") from error
        try:
            self._staging = Staging(self.directory)
            self._limit = limit
            wanted = window_of(since, until)
            self.window = replace(wanted, until=self._fixed(wanted, ends=until is not None))
        except BaseException:
            self._lock.release()
            raise

    def _fixed(self, window: Window, *, ends: bool) -> dt.datetime:
        """Keeps the options, or compares them with those that are kept; returns the end of the window."""
        settings = self._exporter.settings
        said: dict[str, Any] = {
            "form": _FORM,
            "source": self.source.identity(),
            "target": identity_of(settings),
            "since": None if window.since is None else window.since.isoformat(),
            "until": window.until.isoformat() if ends else None,
            "limit": self._limit,
            "where": _told(settings.where),
            "sample": settings.sample,
            "redact": _told(settings.redact or self._redact),
            "times": self.times,
        }
        kept = self._staging.fact("options")
        if kept is None:
            self._staging.keep(options=said, until=window.until.isoformat())
            return window.until
        # Nothing was sent while the plan was looked at: a choice about it may still be made.
        changed = {name for name, value in said.items() if kept.get(name) != value}
        if changed == {"times"} and not self.begun:
            self._staging.keep(options=said)
        elif changed:
            told = "; ".join(
                f"{name} was {_shown(kept.get(name))} and is {_shown(said[name])}"
                for name in sorted(changed)
            )
            raise UsageError(
                f"{self.directory} holds another migration ({told}): run it with the options that it was begun with, "
                "or name another directory with --dir"
            )
        return dt.datetime.fromisoformat(self._staging.fact("until"))

    # -- steps ----------------------------------------------------------------------------------------------------

    def read(self, progress: Callable[[Reading], None] | None = None) -> Held:
        """Reads the source into the directory, or goes on with that. Sends nothing.

        Args:
            progress: is told after each page.

        Returns:
            What is there now.

        Raises:
            HistoryIncomplete: the source does not add up.
            ApiError: the vendor cannot be read; the same call goes on.
        """
        staging = self._staging
        if staging.fact("read") and staging.fact("ended"):
            return staging.held()
        failures: list[str] = []
        pages = self.source.pages(self.window, staging.fact("position"), failures.append)
        with _closed(pages):
            for page in () if staging.fact("read") else pages:
                items = [self._clean(item) for item in page.items]
                staging.add(items, position=page.next, limit=self._limit, failures=failures)
                failures.clear()
                notes = list(page.notes)
                enough = page.next is not None and self._is_enough()
                if enough:
                    notes.append(_STOPPED)
                if notes:
                    known = staging.fact("notes") or []
                    staging.keep(notes=list(dict.fromkeys([*known, *notes])))
                if progress is not None:
                    progress(Reading(staging.held(), page.total))
                if enough:
                    break
        staging.end()
        staging.keep(ended=True)
        return staging.held()

    def plan(
        self,
        *,
        samples: int = 3,
        progress: Callable[[int], None] | None = None,
        reading: Callable[[Reading], None] | None = None,
    ) -> Plan:
        """What the migration means: counts, requests, bytes, time, and what will be lost. Sends nothing.

        Args:
            samples: how many sessions are shown, before and after.
            progress: is told how many sessions were gone through.
            reading: as ``progress`` of `read`, which it begins with.

        Raises:
            UsageError: ``times="properties"`` where the target has no place for them.
            LlmteeError: as in `read`.
        """
        self.read(reading)
        return make_plan(
            self._staging,
            self._exporter,
            source=self.source.title,
            times=self.times,
            since=self.window.since,
            until=self.window.until,
            samples=samples,
            progress=progress or _ignore,
        )

    def run(
        self,
        plan: Plan | None = None,
        *,
        verify: bool = True,
        progress: Callable[[Progress], None] | None = None,
        grace: float = 10.0,
    ) -> Report:
        """Sends everything that is not sent yet, waits until it is settled, and compares.

        Args:
            plan: of this migration, where there is one already; none is made, since it takes longer than sending.
            verify: whether to read the target afterwards, where that can be read.
            progress: is told now and then.
            grace: seconds for requests that are under way, when a Ctrl-C ends it.

        Raises:
            UsageError: the target cannot keep the times, and ``times`` does not say what to do about it.
            LlmteeError: as in `read`.
        """
        held = self.read()
        total = plan.units if plan is not None else self._staging.fact("units")
        if self.problem is not None:
            raise UsageError(self.problem)
        sent = send(
            self._staging,
            self.directory,
            self._exporter,
            times=self.times,
            total=total,
            progress=progress or _ignore,
            grace=grace,
            tuning=self._tuning,
        )
        found = self.verify(plan) if verify and sent.complete and self.can_verify else None
        return Report(self.directory, held, sent, found)

    @property
    def begun(self) -> bool:
        """Whether something was sent already."""
        return self._staging.fact("cursor") is not None

    @property
    def problem(self) -> str | None:
        """Why it is not to be run as it is, and the choices; known when the source was read."""
        vendor, settings = self._exporter.vendor, self._exporter.settings
        first, _ = self._staging.span()
        if self.times != "stop" or first is None or vendor.capabilities(settings).past_times:
            return None
        return no_times(vendor.title, first, keeps_properties=keeps_properties(self._exporter))

    @property
    def can_verify(self) -> bool:
        """Whether the target can be read."""
        return registry.vendor(self._exporter.settings.vendor).read is not None

    def verify(self, plan: Plan | None = None) -> Verification:
        """Reads the target and compares it with what was to arrive.

        Args:
            plan: of this migration, where there is one: what is lost is then not computed again.

        Raises:
            UsageError: the target cannot be read, or the source was not read to its end.
            LlmteeError: the target cannot be read just now.
        """
        vendor = self._exporter.vendor
        if not self.can_verify:
            raise UsageError(
                f"{vendor.title} cannot be read, so there is nothing to compare. {vendor.no_history}"
            )
        if not self._staging.fact("ended"):
            raise UsageError(
                f"{self.directory}: the source was not read to its end; run the migration first"
            )
        whole = plan is not None and plan.explained == plan.held.sessions
        predicted = plan.ledger if plan is not None and whole else None
        return verified(
            self._staging, self.directory, self._exporter, self.times, predicted=predicted
        )

    def close(self) -> None:
        """Frees the directory for others."""
        self._staging.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _is_enough(self) -> bool:
        """Whether all sessions that are wanted are here, whole."""
        return (
            self._limit is not None
            and self.source.whole_sessions
            and self._staging.sessions() >= self._limit
        )

    def _clean(self, item: Item | Supplement) -> Item | Supplement:
        redaction = self._redact or self._exporter.settings.redact
        if redaction is None:
            return item
        if isinstance(item, SupplementBase):
            return load_supplement(redaction.supplement(item.to_json()).value)
        return redaction.item(item)[0]


def _told(value: object) -> str | None:
    """A setting in words that are the same in another process."""
    if value is None:
        return None
    name = getattr(value, "__qualname__", None)  # of a function, which would tell its address
    return str(value) if name is None else f"{getattr(value, '__module__', '')}.{name}"


def _shown(value: Any) -> str:
    return "not given" if value is None else f"{value!r:.200}"


def _ignore(_: object) -> None:
    pass


@contextmanager
def _closed(pages: Iterator[Any]) -> Iterator[None]:
    """Closes a generator, where it is one: its connections with it."""
    close = getattr(pages, "close", None)
    if close is None:
        yield
        return
    with closing(pages):  # type: ignore[type-var]
        yield
