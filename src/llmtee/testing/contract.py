"""The contract kit: what every vendor must keep, ours and third-party ones alike.

Subclass `VendorContract` in a test module and name the vendor; pytest does the rest::

    class TestAcme(VendorContract):
        vendor = acme.VENDOR
        settings = acme.Acme(api_key="k")

        def schema_error(self, request):      # optional: your JSON Schema's word on a request
            return first_error(schema, request.body)

Needs ``llmtee[testing]``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from llmtee import jsontext
from llmtee.assembly import fit
from llmtee.errors import ConfigError, HistoryIncomplete, InputError
from llmtee.model import (
    Annotation,
    Choice,
    Item,
    Message,
    ModelCall,
    Step,
    Supplement,
    TextPart,
    ToolRun,
)
from llmtee.spec import (
    Delivered,
    Exchange,
    ExporterSettings,
    Failure,
    Reader,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    Vendor,
    Window,
    WireItem,
    carry_of,
    carrying,
    supplement_out,
)
from llmtee.testing import strategies

VERDICTS = (Delivered, Retry, Rejected, TooLarge, Unauthorised, Unknown)

_STATUSES = (200, 201, 204, 302, 400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503)
_BODIES = (
    b"",
    b"<html>not json</html>",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b'{"error": {"message": "no"}}',
    b'{"detail": [{"loc": ["body"], "msg": "field required"}]}',
    b'{"event_ids": 3, "data": [], "id": null, "type": {}}',
)

_SINCE = dt.datetime(2026, 1, 1, 10, 0, 0, 123_456, tzinfo=dt.UTC)
_UNTIL = dt.datetime(2026, 2, 1, 10, 0, 0, 654_321, tzinfo=dt.UTC)

_examples = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.data_too_large,
        HealthCheck.differing_executors,  # every vendor's class inherits the same tests
        HealthCheck.too_slow,
    ],
)

_fewer_examples = settings(_examples, max_examples=40)

_fewest_examples = settings(_examples, max_examples=20)


def any_item() -> st.SearchStrategy[Item]:
    """Any event or conversation."""
    return strategies.events() | strategies.conversations()


class VendorContract:
    """The laws of a vendor, as tests. Set ``vendor`` and ``settings`` in a subclass."""

    vendor: Vendor[Any]
    settings: ExporterSettings

    def schema_error(self, request: Request) -> str | None:  # noqa: ARG002 - for subclasses
        """What the vendor's JSON Schema says is wrong with a request; ``None`` when it is right."""
        return None

    def _render(self, item: Item) -> list[WireItem]:
        return [
            self.vendor.render(fitted, self.settings) for fitted in fit([item], self.vendor.grain)
        ]

    def _requests(self, items: list[WireItem]) -> list[Request]:
        return self.vendor.pack(
            [item for item in items if item.body is not None], self.settings, {}
        )

    @given(item=any_item())
    @_examples
    def test_any_item_renders_or_says_why_not(self, item: Item) -> None:
        """Every item renders without an exception, or is skipped with a reason."""
        for wire in self._render(item):
            assert (wire.body is None) == (wire.skip is not None)

    @given(item=any_item())
    @_examples
    def test_rendering_is_pure(self, item: Item) -> None:
        """The same item gives the same bytes twice, and is not changed by it."""
        before = item.model_copy(deep=True)
        first = [request.content for request in self._requests(self._render(item))]
        second = [request.content for request in self._requests(self._render(item))]
        assert first == second
        assert item == before

    @given(item=any_item())
    @_examples
    def test_requests_satisfy_the_schema(self, item: Item) -> None:
        """What would be sent satisfies the vendor's schema."""
        for request in self._requests(self._render(item)):
            assert self.schema_error(request) is None

    @given(item=any_item())
    @_examples
    def test_what_is_rendered_can_be_parsed(self, item: Item) -> None:
        """A wire item and a request body both read back, at the vendor's grain."""
        wires = self._render(item)
        for body in [
            *(wire.body for wire in wires if wire.body is not None),
            *(request.body for request in self._requests(wires)),
        ]:
            parsed = self.vendor.parse(body)
            assert parsed
            for found in parsed:
                assert (found.kind == "conversation") == (self.vendor.grain == "conversation")

    @given(item=any_item())
    @_fewer_examples
    def test_a_carry_makes_rendering_reversible(self, item: Item) -> None:
        """With a carry, ``parse(render(x)) == x``: types, numbers and the order of keys included."""
        vendor, configured = self._carrying()
        for fitted in fit([item], vendor.grain):
            wire = vendor.render(fitted, configured)
            if wire.body is None:
                continue
            [request] = vendor.pack([wire], configured, {})
            assert self.schema_error(request) is None
            for payload in (wire.body, request.body):
                found = [jsontext.dumps(one.to_json()) for one in vendor.parse(payload)]
                assert jsontext.dumps(fitted.to_json()) in found

    def test_a_broken_carry_costs_no_item(self) -> None:
        """A carry that was cut, by us or by somebody else, leaves what reads without it, and a flag."""
        vendor, configured = self._carrying()
        more = {"extra": {"elsewhere": {"note": "n" * 500}}}
        examples = [one.model_copy(update=more) for one in _examples_of_each_kind()]
        items = [
            item.model_copy(update={**more, "source_ids": {"elsewhere": "i" * 500}})
            for one in examples
            for item in fit([one], vendor.grain)
        ]
        wires = [vendor.render(item, configured) for item in items]
        carried = [(wire, text) for wire in wires if (text := carry_of(wire, vendor))]
        if not carried:
            pytest.skip(f"{vendor.title} keeps all of the examples without a carry")
        for wire, text in carried:
            for broken in (text[: len(text) // 2], text[:-1], f"llmtee/99{text[8:]}"):
                body = _with_text_replaced(wire.body, text, broken)
                [found] = vendor.parse(body)
                assert any(flag.startswith("carry: ") for flag in found.flags)
            # A short carry is no longer than the mark that takes its place.
            smaller = vendor.shrink(wire, wire.size - len(text) // 2, configured)
            if smaller is None:
                assert len(text) < 300
                continue
            assert any(note.path == "carry" for note in smaller.notes)
            [found] = vendor.parse(smaller.body)
            assert any(flag.startswith("carry: was cut") for flag in found.flags)

    def _carrying(self) -> tuple[Vendor[Any], ExporterSettings]:
        if self.vendor.carry is None:
            pytest.skip(f"{self.vendor.title} names no free-form field for a carry")
        return carrying(self.vendor), self.settings.model_copy(update={"carry": True})

    @given(items=st.lists(any_item(), max_size=4))
    @_examples
    def test_packing_keeps_every_item_once(self, items: list[Item]) -> None:
        """No item is dropped, doubled or invented; each request says its body, and keeps to the limits."""
        wires = [wire for item in items for wire in self._render(item) if wire.body is not None]
        requests = self._requests(wires)
        packed = [wire for request in requests for wire in request.items]
        assert sorted(map(id, packed)) == sorted(map(id, wires))
        for request in requests:
            assert 1 <= len(request.items) <= self.vendor.limits.items
            assert jsontext.same(jsontext.loads(request.content), request.body)
            small = len(request.content) <= self.vendor.limits.bytes
            assert small or len(request.items) == 1

    @given(
        supplement=strategies.supplements(),
        status=st.sampled_from(_STATUSES),
        content=st.sampled_from(_BODIES),
    )
    @_fewest_examples
    def test_any_supplement_travels_alone_or_says_why_not(
        self, supplement: Supplement, status: int, content: bytes
    ) -> None:
        """A supplement is skipped with a reason, or has a request of its own, reads back, and gets a verdict."""
        before = supplement.model_copy(deep=True)
        wire = supplement_out(self.vendor, supplement, self.settings).wire
        again = supplement_out(self.vendor, supplement, self.settings).wire
        assert (wire.body, wire.skip) == (again.body, again.skip)
        assert supplement == before
        assert (wire.body is None) == (wire.skip is not None)
        if wire.body is None:
            return
        if self.vendor.read_supplement is not None and isinstance(supplement, Annotation):
            assert self.vendor.read_supplement(wire.body).kind == supplement.kind
        around = [one for item in _examples_of_each_kind() for one in self._render(item)]
        requests = [one for one in self._requests([*around, wire]) if wire in one.items]
        assert [one.items for one in requests] == [(wire,)]
        exchange = Exchange(requests[0], status=status, content=content)
        [verdict] = self.vendor.judge(exchange, self.settings)
        assert isinstance(verdict, VERDICTS)
        assert status < 300 or not isinstance(verdict, Delivered)

    @given(
        item=any_item(),
        status=st.sampled_from(_STATUSES),
        content=st.sampled_from(_BODIES),
        headers=st.sampled_from(({}, {"retry-after": "7"}, {"retry-after": "soon"})),
    )
    @_examples
    def test_every_answer_gets_a_verdict_for_every_item(
        self, item: Item, status: int, content: bytes, headers: Mapping[str, str]
    ) -> None:
        """Whatever the vendor answers, each item gets one verdict, and only a 2xx or a repetition delivers."""
        for request in self._requests(self._render(item)):
            exchange = Exchange(request, status=status, headers=headers, content=content)
            verdicts = self.vendor.judge(exchange, self.settings)
            assert len(verdicts) == len(request.items)
            assert all(isinstance(verdict, VERDICTS) for verdict in verdicts)
            if status >= 300 and status not in (409, 500):
                assert not any(isinstance(verdict, Delivered) for verdict in verdicts)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key_pauses(self, status: int) -> None:
        """401 and 403 pause the exporter; they never cost an item."""
        for verdict in self._judge(status=status, content=b'{"message": "bad key"}'):
            assert isinstance(verdict, Unauthorised)

    def test_429_waits_as_told(self) -> None:
        """429 is tried again, no earlier than ``Retry-After``."""
        for verdict in self._judge(status=429, headers={"retry-after": "7"}):
            assert isinstance(verdict, Retry)
            assert verdict.after == 7

    def test_503_is_tried_again(self) -> None:
        """503 is tried again."""
        assert all(isinstance(verdict, Retry) for verdict in self._judge(status=503))

    def test_413_is_too_large(self) -> None:
        """413 asks for smaller requests."""
        assert all(isinstance(verdict, TooLarge) for verdict in self._judge(status=413))

    def test_a_request_that_never_left_is_tried_again(self) -> None:
        """A failed connection is tried again."""
        verdicts = self._judge(failure=Failure.NOT_SENT, failure_text="connection refused")
        assert all(isinstance(verdict, Retry) for verdict in verdicts)

    def test_a_lost_answer_is_unknown(self) -> None:
        """A lost answer is unknown; whether to send again is the engine's decision, by the capability card."""
        verdicts = self._judge(failure=Failure.UNANSWERED, failure_text="reset")
        assert all(isinstance(verdict, Unknown) for verdict in verdicts)

    def test_the_key_goes_into_a_header_and_nowhere_else(self) -> None:
        """The key is in the authentication headers, and in no repr and no request."""
        secret = "planted-secret-key"  # noqa: S105 - planted to be searched for
        configured = self.settings.model_copy(update={"api_key": SecretStr(secret)})
        assert secret in " ".join(self.vendor.auth(configured).values())
        assert secret not in repr(configured)
        for request in self._example_requests():
            assert secret not in f"{request.path}{request.query}{request.headers}"
            assert secret.encode() not in request.content

    @pytest.mark.parametrize("since", [None, _SINCE])
    def test_reading_begins_the_same_each_time(self, since: dt.datetime | None) -> None:
        """A reader's position is JSON, and what it asks for follows from that alone, without the key."""
        secret = "planted-secret-key"  # noqa: S105 - planted to be searched for
        configured = self.settings.model_copy(update={"api_key": SecretStr(secret)})
        window = Window(since=since, until=_UNTIL)
        position = self._reader(configured).start(window)
        text = jsontext.dumps(position)
        assert jsontext.loads(text) == position
        assert secret.encode() not in text
        requests = self._reader(configured).requests(position)
        again = self._reader(configured).requests(jsontext.loads(text))
        assert requests
        assert list(requests) == list(again)
        assert jsontext.dumps(position) == text
        for request in requests:
            assert request.path.startswith("/")
            assert not request.items
            assert secret not in f"{request.path}{request.query}{request.headers}"
            assert secret.encode() not in request.content

    @pytest.mark.parametrize("content", [one for one in _BODIES if one not in (b"[]", b"{}")])
    def test_reading_nonsense_is_no_quiet_end(self, content: bytes) -> None:
        """An answer that is no page of a history is an error, and never the end of it."""
        reader = self._reader(self.settings)
        position = reader.start(Window(until=_UNTIL))
        exchanges = [
            Exchange(request, status=200, content=content) for request in reader.requests(position)
        ]
        with pytest.raises((InputError, HistoryIncomplete)):
            reader.page(position, exchanges)

    def test_the_card_says_whether_it_reads_back(self) -> None:
        """Where there is a reader, the capability card says so."""
        if self.vendor.read is not None:
            assert self.vendor.capabilities(self.settings).reads_back
            assert not self.vendor.no_history

    def _reader(self, configured: ExporterSettings) -> Reader:
        if self.vendor.read is None:
            pytest.skip(f"{self.vendor.title} cannot be read back")
        return self.vendor.read(configured)

    def test_a_missing_key_says_what_to_do(self) -> None:
        """Without a key that it needs, ``auth`` raises an error that says where to put one."""
        if not self.settings.needs_key:
            self.vendor.auth(self.settings.model_copy(update={"api_key": None}))
            return
        with pytest.raises(ConfigError, match="api_key"):
            self.vendor.auth(self.settings.model_copy(update={"api_key": None}))

    def test_the_card_is_readable(self) -> None:
        """Name, title and capability card are there."""
        card = self.vendor.capabilities(self.settings)
        assert self.vendor.name
        assert self.vendor.title
        assert self.settings.vendor == self.vendor.name
        assert isinstance(self.settings, self.vendor.settings)
        assert all(note.strip() for note in card.notes)

    def _example_requests(self) -> list[Request]:
        """The requests of the first example that the vendor has a place for."""
        for example in _examples_of_each_kind():
            if requests := self._requests(self._render(example)):
                return requests
        raise AssertionError(f"{self.vendor.title} has no place for any kind of event")

    def _judge(self, **answer: Any) -> list[Any]:
        return [
            verdict
            for request in self._example_requests()
            for verdict in self.vendor.judge(Exchange(request, **answer), self.settings)
        ]


def _examples_of_each_kind() -> list[Item]:
    base: dict[str, Any] = {
        "id": "0e6b2f1c-6c1e-5b0e-9f6f-3a4c1d2e5f60",
        "session": "session-1",
        "started_at": "2026-01-01T10:00:00Z",
        "ended_at": "2026-01-01T10:00:01Z",
    }
    question = Message(role="user", parts=(TextPart(text="Hello"),))
    answer = Message(role="assistant", parts=(TextPart(text="Hi"),))
    return [
        ModelCall(**base, model="gpt-4o", input=(question,), choices=(Choice(message=answer),)),
        ToolRun(**base, name="lookup", arguments={"order": 17}, result={"status": "shipped"}),
        Step(**base, name="plan", inputs={"goal": "answer"}, outputs={"steps": 1}),
    ]


def _with_text_replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_text_replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_text_replaced(inner, old, new) for inner in value]
    return new if value == old else value


def same_json(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON: key order aside, ``1``, ``1.0`` and ``true`` all differ."""
    return jsontext.dumps_sorted(left) == jsontext.dumps_sorted(right)
