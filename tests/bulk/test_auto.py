"""``auto`` tells the format of each record by its content, says why, and refuses to guess."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

import llmtee
from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.bulk import Detection
from llmtee.errors import InputError
from llmtee.spec import Format
from llmtee.testing import strategies

FIXTURES = data_dir("fixtures")
REQUEST = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = {
    "request": REQUEST,
    "response": {"choices": [{"message": {"role": "assistant", "content": "Yes"}}]},
}
TOOL = {"kind": "tool_run", "id": "t", "name": "look"}


def lines(*records: Any) -> io.StringIO:
    return io.StringIO("".join(f"{json.dumps(one)}\n" for one in records))


def test_one_record_is_told_with_the_reason() -> None:
    found = llmtee.detect(CHAT)
    assert found == Detection("openai-chat", "the response has choices[].message")
    assert str(found) == "read as openai-chat, because the response has choices[].message"


def test_reading_tells_what_was_chosen_once_for_each_format_in_each_source() -> None:
    found: list[Detection] = []
    items = list(llmtee.read([lines(CHAT, TOOL, CHAT), lines(TOOL)], on_detect=found.append))
    assert len(items) == 4
    assert [(one.format, one.source, one.line) for one in found] == [
        ("openai-chat", "stream", 1),
        ("llmtee", "stream", 2),
        ("llmtee", "stream", 1),
    ]


def test_a_named_format_is_not_told() -> None:
    found: list[Detection] = []
    assert list(llmtee.read(lines(CHAT), "openai-chat", on_detect=found.append))
    assert found == []


def test_a_conversion_reports_what_was_chosen() -> None:
    report = llmtee.convert(lines(CHAT, TOOL), io.StringIO(), target="llmtee")
    assert [one.format for one in report.detected] == ["openai-chat", "llmtee"]


VENDORS = [
    (name, path)
    for name in registry.vendor_names()
    for path in sorted((FIXTURES / "vendors" / name).glob("*.json"))
]


@pytest.mark.parametrize(("vendor", "path"), VENDORS, ids=[f"{v}-{p.stem}" for v, p in VENDORS])
def test_the_payloads_of_the_vendors_are_told_by_their_content(vendor: str, path: Any) -> None:
    assert llmtee.detect(json.loads(path.read_text("utf-8"))).format == vendor
    assert list(llmtee.read(path)) == list(llmtee.read(path, vendor))


@pytest.mark.parametrize("vendor", registry.vendor_names())
@pytest.mark.parametrize(
    "fixture", sorted((FIXTURES / "conversations").glob("*.jsonl")), ids=lambda p: p.stem
)
def test_whatever_a_vendor_is_sent_is_told_to_be_its_own(vendor: str, fixture: Any) -> None:
    for one in llmtee.render(list(llmtee.read(fixture)), vendor):
        if one.skip is None:
            assert llmtee.detect(one.body).format == vendor


@given(strategies.json_values())
def test_any_json_is_told_or_refused(record: Any) -> None:
    with suppress(InputError):
        assert llmtee.detect(record).reason


def both(name: str) -> Format:
    return Format(
        name=name,
        title=name,
        decode=lambda raw: [],
        detect=lambda raw: "it has a twin" if raw == {"twin": 1} else None,
    )


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two formats of third parties that claim the same records."""
    known, names = registry.format, registry.format_names()
    made = {name: both(name) for name in ("acme-a", "acme-b")}
    monkeypatch.setattr(registry, "format_names", lambda: [*names, *made])
    monkeypatch.setattr(registry, "format", lambda name: made.get(name) or known(name))


def test_between_two_that_fit_nothing_is_guessed(twins: None) -> None:
    good: list[Any] = []
    errors: list[InputError] = []
    good += llmtee.read(lines(CHAT, {"twin": 1}, TOOL), on_error=errors.append)
    assert len(good) == 2
    assert str(errors[0]) == (
        "stream:2: could be of several formats, acme-a (it has a twin) and acme-b (it has a twin); "
        "name the format with format= or --from"
    )
    assert list(llmtee.read(lines({"twin": 1}), "acme-a")) == []


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"model": "m", "input": "Hi"},
        {"model": "m", "max_tokens": 5, "messages": []},
        {"events": [], "session": {}},
        {"data": []},
        {"type": "openai"},
        {"event_type": "model"},
        {"startTimestamp": "x", "endTimestamp": "y", "messages": []},
        {"resource": {}, "body": "log", "timeUnixNano": "1"},
    ],
)
def test_what_many_could_have_written_is_no_ones(record: Any) -> None:
    with pytest.raises(
        InputError, match=r"surely of no format; looked for .*llmtee.*roark.*saw an object"
    ):
        llmtee.detect(record)
