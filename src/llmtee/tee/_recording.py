"""The half of a Tee that records: what the threads of the application call."""

from __future__ import annotations

from typing import Any

from llmtee import jsontext, registry
from llmtee.eventlog import CANONICAL, END, SUPPLEMENT, Record
from llmtee.model import Conversation, Event, EventBase, Supplement, SupplementBase
from llmtee.model._base import Frozen
from llmtee.model.ids import new_id
from llmtee.model.snapshot import clean_text, to_json_value
from llmtee.tee import _scope
from llmtee.tee._running import Running


class Recording(Running):
    """Takes events from the application. Nothing here raises."""

    def __init__(self, *parts: Any, **settings: Any) -> None:
        super().__init__(*parts, **settings)
        self._seen_formats: set[str] = set()

    def record(self, event: Event | Conversation | Supplement, *, live: bool = True) -> str:
        """Records a canonical event, or a conversation as the events that it is made of. Never raises.

        Args:
            event: what happened. What it does not say of session, agent and person comes from `session`. Or a
                supplement, such as a `VendorRequest`.
            live: whether it just happened: an event without any time then ended now. False for history.

        Returns:
            The event's id.
        """
        event_id = getattr(event, "id", None)
        event_id = event_id if isinstance(event_id, str) else new_id()
        try:
            if isinstance(event, (EventBase, Conversation)):
                scope = _scope.current(self)
                filled = event if scope is None else scope.fill(event)
                self._put(event_id, CANONICAL, _canonical(filled), live=live)
            elif isinstance(event, SupplementBase):
                self._put(event_id, SUPPLEMENT, _canonical(event), live=live)
            else:
                self._wrong(f"record takes an event or a conversation, not {type(event).__name__}")
                value = jsontext.dumps(to_json_value(event))
                self._put(event_id, CANONICAL, value, live=live)
        except Exception as error:  # noqa: BLE001 - our bug is never the application's exception
            self._failed(error)
        return event_id

    def record_call(
        self,
        format: str,  # noqa: A002 - the name that users type
        *,
        request: Any = None,
        response: Any = None,
        error: Any = None,
        **attributes: Any,
    ) -> str:
        """Records one call of a model in its provider's own shapes. Never raises.

        What is passed is copied at once and may be changed afterwards. It is read in the background: a record that
        cannot be read, or whose format nobody knows, is kept as a dead letter of every exporter.

        Args:
            format: name of a registered format, such as ``openai-chat``.
            request: what was sent: a dict, or the SDK's object.
            response: what came back, whole.
            error: the exception or the provider's error, for a call that failed.
            attributes: ``session``, ``agent``, ``agent_version``, ``person``, ``started_at``, ``ended_at``,
                ``properties``, ``tags``, and ``id`` (a new one by default).

        Returns:
            The event's id.
        """
        event_id = clean_text(str(attributes.pop("id", None) or new_id()))
        try:
            said = {"error": error, **attributes}
            given = {key: value for key, value in said.items() if value is not None}
            # Both stand there even when they are None: they tell a record from a bare request.
            raw = {"request": request, "response": response, **given}
            record = {"id": event_id, **to_json_value(raw)}
        except Exception as failure:  # noqa: BLE001 - as above
            self._failed(failure)
            return event_id
        return self.record_json(format, record)

    def record_json(self, format: str, record: dict[str, Any]) -> str:  # noqa: A002 - as above
        """Records a call whose record is JSON already, and belongs to nobody else. Never raises.

        For captures, which have it from the wire: `record_call` without its copy.

        Args:
            format: name of a registered format.
            record: ``request``, ``response`` and what else a record of a call has (see ``llmtee.formats.records``).

        Returns:
            The event's id.
        """
        event_id: str = record.get("id") or new_id()
        try:
            event_id = record["id"] = str(event_id)
            if format not in self._seen_formats:
                self._look_at_format(format)
            scope = _scope.current(self)
            value = record if scope is None else scope.fill_record(record)
            self._put(event_id, format, jsontext.dumps(value))
        except Exception as failure:  # noqa: BLE001 - as above
            self._failed(failure)
        return event_id

    def end_session(self, id: object) -> None:  # noqa: A002 - the name that users type
        """Says that a session is over: a vendor that takes each conversation once gets it now. Never raises.

        Later events of the session are a new conversation at such a vendor.
        """
        try:
            self._put(new_id(), END, jsontext.dumps(to_json_value(str(id))))
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _put(self, event_id: str, format_name: str, payload: bytes, *, live: bool = True) -> None:
        if self._final is not None and not self._left:
            self._refused += 1
            if self._refused & (self._refused - 1) == 0:  # at 1, 2, 4, 8, …
                self._wrong(
                    f"this Tee is closed; what is recorded now is lost ({self._refused} so far)"
                )
            return
        if self._guard.lets_pass:
            self._inbox.put(Record(event_id, format_name, payload, self._clock(), live))
        else:
            for stored in self._guard.clean(event_id, format_name, payload):
                self._inbox.put(Record(*stored, self._clock(), live))
        engine = self._engine
        if engine is None and self._delivers:
            engine = self._running()
        if engine is not None and self._log.directory is None:
            engine.notify()

    def _look_at_format(self, name: str) -> None:
        self._seen_formats.add(name)
        if name not in (known := registry.format_names()):
            self._wrong(
                f"no format is named {name!r}, so its records become dead letters; known: {', '.join(known)}"
            )


def _canonical(item: Event | Conversation | Supplement) -> bytes:
    """The item as JSON that ``load_event`` reads: fields at their default may stand there too.

    Its values are frozen, so that this is the moment to copy what somebody may still change: the free-form fields.
    """
    try:
        return jsontext.dumps_with(item, _field_values)
    except TypeError:  # somebody put into a free field what JSON cannot say
        return jsontext.dumps(_slowly(item))


def _slowly(item: Event | Conversation | Supplement) -> Any:
    try:
        return item.to_json()
    except Exception:  # noqa: BLE001 - the same, only worse
        return to_json_value(item)


def _field_values(value: Any) -> Any:
    # Far faster than the model's own serialisation, which comes later, in the background.
    return vars(value) if isinstance(value, Frozen) else to_json_value(value)
