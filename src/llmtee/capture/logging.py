"""Python's own logging: records that hold the record of a model call go to a Tee.

    logging.getLogger("llm").addHandler(LlmteeHandler(tee))
    logging.getLogger("llm").info(json.dumps({"request": request, "response": response}))

A record counts where its message is a JSON object, or where ``extra`` hands one over under ``llm``. Other lines pass by.
"""

from __future__ import annotations

import logging
from typing import Any

from llmtee import bulk, jsontext
from llmtee.errors import InputError
from llmtee.model.snapshot import to_json_value
from llmtee.tee import DEFAULT, Tee, get_tee

__all__ = ["LlmteeHandler"]


class LlmteeHandler(logging.Handler):
    """Records what is logged as JSON.

    Args:
        tee: where to; by default the default Tee.
        format: of the records, such as ``openai-chat``; by default each is told by what it holds, and a line that is
            surely of no format is ignored.
        key: under which ``extra`` hands a record over, whatever the message says.
        level: of the lines that are looked at.
    """

    def __init__(
        self,
        tee: Tee | None = None,
        *,
        format: str = "auto",  # noqa: A002 - as elsewhere
        key: str = "llm",
        level: int | str = logging.NOTSET,
    ) -> None:
        super().__init__(level)
        self.recorded = 0
        """Lines that became events."""
        self.ignored = 0
        """Lines that hold no record."""
        self._given = tee
        self._format = format
        self._key = key

    def emit(self, record: logging.LogRecord) -> None:
        """Records the line, if it holds a record. Never raises, but in a Tee's strict mode."""
        if record.name == "llmtee" or record.name.startswith("llmtee."):
            return  # what we say ourselves is no record, and could go round in circles
        try:
            found = self._found(record)
            if found is None:
                self.ignored += 1
                return
            name, value = found
            tee = get_tee() if self._given is None else self._given
            if "request" in value or "response" in value:
                # When it was logged is when it had ended, at the latest.
                value = {"ended_at": record.created, **value}
            tee.record_json(name, value)
            self.recorded += 1
        except Exception as error:  # noqa: BLE001 - our bug is never the application's exception
            (DEFAULT if self._given is None else self._given).capture_failed(error)

    def _found(self, record: logging.LogRecord) -> tuple[str, dict[str, Any]] | None:
        value = getattr(record, self._key, None)
        if value is None:
            text = record.msg if isinstance(record.msg, str) else ""
            if isinstance(record.msg, dict):
                value = record.msg
            elif text.lstrip().startswith("{"):
                try:
                    value = jsontext.loads(record.getMessage())
                except (ValueError, TypeError):
                    return None
        value = to_json_value(value)
        if not isinstance(value, dict):
            return None
        if self._format != "auto":
            return self._format, value
        try:
            return bulk.detect(value).format, value
        except InputError:
            return None
