"""The default Tee: what the traced clients of ``llmtee.capture`` record to when nobody hands them one."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable
from typing import Any

from llmtee.delivery.health import Limited
from llmtee.spec import ExporterSettings
from llmtee.tee._exporters import exporters_of_environment, key_variables
from llmtee.tee._tee import Tee

logger = logging.getLogger("llmtee")

_lock = threading.RLock()
_tee: Tee | None = None
_exporters: tuple[ExporterSettings, ...] | None = None
_options: dict[str, Any] = {}


def configure(exporters: Iterable[ExporterSettings] | None = None, **options: Any) -> None:
    """Says what the default Tee is made of. It is made when it is first needed.

    A default Tee that was in use until now is flushed and closed.

    Args:
        exporters: as ``Tee`` takes them; by default each vendor whose key is set in the environment or the settings file.
        options: as ``Tee`` takes them: ``dir``, ``redact``, ``deliver``, …
    """
    global _tee, _exporters, _options
    with _lock:
        before, _tee = _tee, None
        _exporters = None if exporters is None else tuple(exporters)
        _options = dict(options)
    if before is not None:
        before.close()


def get_tee() -> Tee:
    """The default Tee, made by the first call.

    Raises:
        ConfigError: a setting is missing or invalid.
        UsageError: `configure` was given what ``Tee`` does not take.
    """
    global _tee
    with _lock:
        if _tee is None:
            exporters = exporters_of_environment() if _exporters is None else _exporters
            if not exporters:
                logger.warning(
                    "calls are captured, and no vendor gets them: set %s, or call llmtee.configure([…])",
                    ", ".join(key_variables()),
                )
            _tee = Tee(exporters, **_options)
        return _tee


class DefaultRecorder:
    """Records to the default Tee. An application whose settings are wrong is told in its log, never by an exception."""

    def __init__(self) -> None:
        self._lines = Limited()

    def record_json(self, format: str, record: dict[str, Any]) -> str:  # noqa: A002 - as elsewhere
        """See `llmtee.spec.Recorder`."""
        try:
            tee = get_tee()
        except Exception as error:  # noqa: BLE001 - it must not become the exception of a provider's call
            self.capture_failed(error)
            return ""
        return tee.record_json(format, record)

    def capture_failed(self, error: Exception) -> None:
        """See `llmtee.spec.Recorder`."""
        if _tee is not None:
            _tee.capture_failed(error)
            return
        if self._lines.may(time.time()):
            logger.error("calls are not recorded: %s", error)
        if "PYTEST_CURRENT_TEST" in os.environ:
            raise error


DEFAULT = DefaultRecorder()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # the parent's other threads do not exist here


os.register_at_fork(after_in_child=_after_fork)
