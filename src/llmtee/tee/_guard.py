"""Redaction of the whole Tee: what is recorded passes here before it is stored, held or told anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import SecretStr, ValidationError

from llmtee import jsontext
from llmtee.delivery import Exporter
from llmtee.delivery.complaints import Complaints
from llmtee.delivery.decode import decode_by_registry, events_of
from llmtee.errors import ConfigError
from llmtee.eventlog import CANONICAL, END, SUPPLEMENT
from llmtee.privacy import Redacted, Redaction

_MIN_SECRET = 8


class Guard:
    """Redacts what is recorded. Without a redaction everything passes as it is."""

    def __init__(
        self, redact: Redaction | str | Sequence[str] | None, exporters: Iterable[Exporter]
    ) -> None:
        """Reads the short form.

        Args:
            redact: as users pass it to ``Tee``.
            exporters: whose keys are taken out too, wherever they stand, when ``api_key`` is looked for.

        Raises:
            ConfigError: ``redact`` names a detector that does not exist, or the like.
        """
        self.complaints = Complaints()
        self.lets_pass = redact is None
        """Whether everything passes as it is."""
        self._redaction = None if redact is None else _redaction(redact)
        if self._redaction is not None and "api_key" in self._redaction.detect:
            self._redaction = self._redaction.knowing(tuple(_keys(exporters)))

    def clean(
        self, event_id: str, format_name: str, payload: bytes
    ) -> list[tuple[str, str, bytes]]:
        """What to store instead of a record: id, format and JSON; several where one becomes several events."""
        if self._redaction is None:
            return [(event_id, format_name, payload)]
        found = self._clean(self._redaction, event_id, format_name, jsontext.loads(payload))
        return [(own, stored_as, jsontext.dumps(value)) for own, stored_as, value in found]

    def _clean(
        self, redaction: Redaction, event_id: str, format_name: str, value: Any
    ) -> list[tuple[str, str, Any]]:
        if format_name == END:
            return [(event_id, END, redaction.session(value))]
        if format_name == SUPPLEMENT:
            return [self._stored(redaction, event_id, SUPPLEMENT, redaction.supplement(value))]
        # The pieces of a stream may each hold a part of what must not leave: only the event joins them.
        pieces = isinstance(value, dict) and isinstance(value.get("response"), list | str)
        if format_name == CANONICAL or not (redaction.needs_events or pieces):
            return [self._redacted(redaction, event_id, format_name, value)]
        try:
            events = events_of(decode_by_registry(format_name, value))
        except Exception as error:  # noqa: BLE001 - formats may be third-party, and input may be anything
            # The paths cannot be found in it, so that nobody knows what may stay of it.
            self.complaints.add(
                [f"a record of {format_name} cannot be read: {type(error).__name__}"]
            )
            value = {key: value[key] for key in ("id", "session") if key in value}
            return [self._redacted(redaction, event_id, format_name, value)]
        if len(events) == 1:  # the caller was given this id
            events = [events[0].model_copy(update={"id": event_id})]
        found = [
            self._redacted(redaction, event.id, CANONICAL, event.to_json()) for event in events
        ]
        for _, _, cleaned in found if pieces else ():
            _forget_pieces(cleaned)
        return found

    def _redacted(
        self, redaction: Redaction, event_id: str, format_name: str, value: Any
    ) -> tuple[str, str, Any]:
        return self._stored(redaction, event_id, format_name, redaction.record(value))

    def _stored(
        self, redaction: Redaction, event_id: str, format_name: str, done: Redacted
    ) -> tuple[str, str, Any]:
        self.complaints.add(done.failures)
        # An id changes only where a path leads to it.
        own = redaction.apply({"id": event_id}).value.get("id", event_id)
        return str(own), format_name, done.value


def _forget_pieces(event: dict[str, Any]) -> None:
    """Takes out what stands as it came: pieces that the format did not join, each too short to be known."""
    if isinstance(event.get("native"), dict):
        event["native"].pop("response", None)
    choices = event.get("choices", ())
    messages = [choice["message"] for choice in choices if "message" in choice]
    parts = [part for message in messages for part in message.get("parts", ())]
    for value in (event, *choices, *messages, *parts):
        value.pop("extra", None)


def _redaction(redact: Redaction | str | Sequence[str]) -> Redaction:
    try:
        return Redaction.model_validate(redact)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise ConfigError(f"Tee(redact=…): {first['msg']}") from None


def _keys(exporters: Iterable[Exporter]) -> Iterable[str]:
    for exporter in exporters:
        for name in type(exporter.settings).model_fields:
            value = getattr(exporter.settings, name)
            for one in value.values() if isinstance(value, dict) else (value,):
                if isinstance(one, SecretStr) and len(one.get_secret_value()) >= _MIN_SECRET:
                    yield one.get_secret_value()
