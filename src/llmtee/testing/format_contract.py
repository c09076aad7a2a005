"""The contract kit of formats: the laws that every format keeps, ours and third-party ones alike.

Subclass `FormatContract` in a test module and name the format; pytest does the rest::

    class TestAcme(FormatContract):
        format = acme.FORMAT
        fixtures = (RECORD, ANOTHER)      # real records

        def records(self):                # optional: a hypothesis strategy of records
            return st.fixed_dictionaries({"request": requests, "response": responses})

What is checked of a format that is only read (``encode`` is ``None``) is what reading promises. Needs
``llmtee[testing]``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmtee import jsontext
from llmtee.errors import InputError
from llmtee.fidelity import compare_calls, selector
from llmtee.formats import records
from llmtee.model import Item, ModelCall
from llmtee.model.snapshot import taken, to_json_value
from llmtee.spec import Format
from llmtee.testing import strategies

_examples = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.data_too_large,
        HealthCheck.differing_executors,  # every format's class inherits the same tests
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)

_any_call = strategies.model_calls(parameters=strategies.parameters())

_UNKNOWN = "x_unknown_to_all"
_KEPT = "kept-7f3a"


def meaning(item: Item) -> dict[str, Any]:
    """What encoding has to keep: everything but the verbatim copy and the ids that hang on it."""
    return item.model_dump(exclude={"native", "id", "source_ids"})


class FormatContract:
    """The laws of a format, as tests. Set ``format`` and ``fixtures`` in a subclass."""

    format: Format
    fixtures: Sequence[Any] = ()
    """Real records, at least one."""
    whole: Sequence[str] = ("is neither", "must be an object", "has neither")
    """How reasons begin that speak of a record as a whole. Any other error has to name a JSON path."""
    no_records: Sequence[Any] = (None, 1, "text", [], [{}], {}, {"a": 1})
    """What has to be refused."""
    keeps_unknown_in: Sequence[str] = ("request", "response")
    """Objects of a record whose unknown fields have to survive; nothing is asked of one that a fixture has not."""

    def records(self) -> st.SearchStrategy[Any]:
        """Records of the format; the fixtures unless a subclass knows more."""
        return st.sampled_from(list(self.fixtures))

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def test_the_card_is_readable(self) -> None:
        """Name and title are there, and each declaration is a selector with a reason."""
        assert self.format.name
        assert self.format.title
        assert self.fixtures, "a format is shown by at least one real record"
        for text, reason in self.format.cannot.items():
            selector(text)
            assert reason.strip()

    def test_its_records_are_detected(self) -> None:
        """Each real record is surely of the format."""
        for fixture in self.fixtures:
            assert self.format.detect(copy.deepcopy(fixture)) is not None

    @given(data=st.data())
    @_examples
    def test_reading_is_pure_and_gives_the_same_ids_twice(self, data: st.DataObject) -> None:
        """The same record gives equal items with equal ids, copied or taken as it is, and is not changed by it."""
        record = data.draw(self.records())
        before = copy.deepcopy(record)
        first, second = self.format.decode(record), self.format.decode(record)
        self.format.detect(record)
        assert first
        assert first == second
        own = to_json_value(record)
        assert self.format.decode(taken(own)) == first
        assert own == to_json_value(before)
        assert jsontext.dumps_sorted(record) == jsontext.dumps_sorted(before)

    @given(data=st.data())
    @_examples
    def test_whatever_is_broken_is_named_by_its_path(self, data: st.DataObject) -> None:
        """A record with one thing wrong is read, or refused with an `InputError` that says where; and never more."""
        broken = data.draw(strategies.broken(data.draw(self.records())))
        refused: InputError | None = None
        items: list[Item] = []
        try:
            items = self.format.decode(broken)
        except InputError as error:
            refused = error
        assert refused is None or refused.path or refused.reason.startswith(tuple(self.whole))
        assert refused is not None or isinstance(items, list)
        self.format.detect(broken)
        for item in items:
            jsontext.dumps(item.to_json())
            if isinstance(item, ModelCall) and self.format.encode is not None:
                self.format.decode(self.format.encode(item))

    def test_what_is_no_record_is_refused(self) -> None:
        """What is nothing of the format is an `InputError`."""
        for raw in self.no_records:
            assert self.format.detect(raw) is None
            with pytest.raises(InputError):
                self.format.decode(raw)

    def test_unknown_fields_survive(self) -> None:
        """A field that nobody knows is in what is read, beside the verbatim copy, and is written back."""
        for fixture in self.fixtures:
            for record in self._with_unknown(fixture):
                for item in self.format.decode(record):
                    assert _KEPT in json.dumps({**item.to_json(), "native": None})
                    if isinstance(item, ModelCall) and self.format.encode is not None:
                        assert _KEPT in json.dumps(self.format.encode(item))

    def _with_unknown(self, fixture: Any) -> Iterator[Any]:
        for key in self.keeps_unknown_in:
            if isinstance(fixture, dict) and isinstance(fixture.get(key), dict):
                yield {**fixture, key: {**fixture[key], _UNKNOWN: _KEPT}}

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    @given(data=st.data())
    @_examples
    def test_what_is_read_is_written_back(self, data: st.DataObject) -> None:
        """``decode(encode(x)) == x`` for what was read from the format."""
        for call in _calls(self.format.decode(data.draw(self.records()))):
            if self.format.encode is not None:
                [back] = self.format.decode(self.format.encode(call))
                assert meaning(back) == meaning(call)

    def test_what_is_written_is_detected_as_its_own(self) -> None:
        """What is written of a real record's calls is surely of the format again."""
        for fixture in self.fixtures:
            for call in _calls(self.format.decode(fixture)):
                if self.format.encode is not None:
                    assert self.format.detect(self.format.encode(call)) is not None

    @given(data=st.data())
    @_examples
    def test_any_model_call_can_be_written_and_read_again(self, data: st.DataObject) -> None:
        """Any call is written as JSON, the same twice and without changing the call; reading that back loses nothing."""
        if self.format.encode is None:
            return
        call = data.draw(_any_call)
        before = call.model_copy(deep=True)
        record = self.format.encode(call)
        assert call == before
        assert (
            to_json_value(record) == record
        )  # JSON, without anything that would have to be cleaned
        assert jsontext.dumps(record) == jsontext.dumps(self.format.encode(call))
        [again] = self.format.decode(record)
        assert isinstance(again, ModelCall)
        [settled] = self.format.decode(self.format.encode(again))
        assert meaning(settled) == meaning(again)

    @given(data=st.data())
    @settings(_examples, max_examples=30)
    def test_what_cannot_be_said_is_declared(self, data: st.DataObject) -> None:
        """Whatever of a call does not come back as it was is covered by a declaration in ``cannot``."""
        if self.format.encode is not None:
            assert undeclared(self.format, data.draw(_any_call)) == []


def records_in(folder: Path) -> tuple[Any, ...]:
    """The records in a folder of JSON files, by name; ``*.expected.json`` hold what they are read as, and are no records."""
    paths = sorted(path for path in folder.glob("*.json") if ".expected." not in path.name)
    return tuple(json.loads(path.read_text("utf-8")) for path in paths)


def undeclared(form: Format, call: ModelCall) -> list[str]:
    """What becomes of a call in a format's shape that the format does not declare: ``gone input[].name``, ….

    The call is written as a record, with what stands beside request and response, and read again.
    """
    if form.encode is None:
        raise ValueError(f"the format {form.name} is only read")
    [back] = form.decode({**records.envelope(call), **form.encode(call)})
    if not isinstance(back, ModelCall):
        return [f"gone: a {back.kind} comes back"]
    return [
        f"{one.outcome} {one.text}"
        for one in compare_calls(call, back)
        if one.outcome != "same" and not one.declared_by(form.cannot)
    ]


def _calls(items: Sequence[Item]) -> Iterator[ModelCall]:
    return (item for item in items if isinstance(item, ModelCall))
