"""Traces in OTLP/JSON: golden files of both formats, and what must hold whatever an exporter wrote."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.errors import InputError
from llmtee.formats import openai_chat, openinference, otel_genai
from llmtee.model import ModelCall, Step, ToolRun
from llmtee.spec import Format
from llmtee.testing import strategies

FORMATS = {form.name: form for form in (otel_genai.FORMAT, openinference.FORMAT)}
FOLDER = data_dir("fixtures") / "formats"
RECORDS = [
    (form, path)
    for form in FORMATS.values()
    for path in sorted((FOLDER / form.name).glob("*.json"))
    if not path.stem.endswith(".expected")
]
each_record = pytest.mark.parametrize(
    ("form", "path"), RECORDS, ids=lambda value: getattr(value, "stem", getattr(value, "name", ""))
)


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def span(attributes: Any, **fields: Any) -> dict[str, Any]:
    return {"traceId": "a" * 32, "spanId": "b" * 16, "attributes": attributes, **fields}


def call(attributes: dict[str, Any], **fields: Any) -> ModelCall:
    [item] = otel_genai.FORMAT.decode(
        span({"gen_ai.operation.name": "chat", **attributes}, **fields)
    )
    assert isinstance(item, ModelCall)
    return item


def test_the_fixtures_are_there() -> None:
    assert all(sum(form is one for one, _ in RECORDS) >= 8 for form in FORMATS.values())


@each_record
def test_record_is_the_expected_events(
    form: Format, path: Path, golden: Callable[[Path, Any], None]
) -> None:
    golden(path.with_suffix(".expected.json"), [item.to_json() for item in form.decode(load(path))])


@each_record
def test_only_its_own_format_claims_it(form: Format, path: Path) -> None:
    raw = load(path)
    claims = [one.name for one in (*FORMATS.values(), openai_chat.FORMAT) if one.detect(raw)]
    assert claims == [form.name]


@each_record
def test_reading_is_pure_and_gives_the_same_twice(form: Format, path: Path) -> None:
    raw = load(path)
    before = copy.deepcopy(raw)
    assert form.decode(raw) == form.decode(raw)
    assert raw == before


@each_record
def test_both_formats_give_the_same_ids(form: Format, path: Path) -> None:
    raw = load(path)
    first, second = (one.decode(raw) for one in FORMATS.values())
    assert [item.id for item in first] == [item.id for item in second]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("kind", ["chat", "execute_tool", "retrieval", "unheard_of"])
def test_an_attribute_that_nobody_reads_is_kept(form: Format, kind: str) -> None:
    strange = {"app.tier": "gold", "gen_ai.unheard": [1, {"a": None}], "llm.odd.0.x": 2.5}
    [item] = form.decode(span({"gen_ai.operation.name": kind, **strange}))
    assert strange.items() <= item.extra[form.name]["attributes"].items()


@pytest.mark.parametrize("raw", [None, 1, "text", {}, {"a": 1}, [1], [[]]])
def test_what_is_no_trace_is_refused(raw: Any) -> None:
    with pytest.raises(InputError):
        otel_genai.FORMAT.decode(raw)
    assert all(form.detect(raw) is None for form in FORMATS.values())


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"resourceSpans": 3}, "resourceSpans"),
        (
            {"resourceSpans": [{"scopeSpans": [{"spans": [3]}]}]},
            "resourceSpans[0].scopeSpans[0].spans[0]",
        ),
        (span([{"key": "a", "value": {"intValue": "x"}}]), "attributes[0].value.intValue"),
        (span([], startTimeUnixNano="soon"), "startTimeUnixNano"),
        (span([], endTimeUnixNano="9" * 40), "endTimeUnixNano"),
        (span([], status={"code": "odd"}), "status.code"),
    ],
)
def test_a_broken_envelope_is_named_by_its_path(raw: Any, path: str) -> None:
    with pytest.raises(InputError) as raised:
        otel_genai.FORMAT.decode(raw)
    assert raised.value.path == path


def test_parents_meet_across_records() -> None:
    [parent] = otel_genai.FORMAT.decode(span({}))
    [child] = otel_genai.FORMAT.decode(span({}, spanId="c" * 16, parentSpanId="B" * 16))
    assert isinstance(child, Step)
    assert child.parent == parent.id
    assert child.source_ids["otel.parent_span_id"] == "b" * 16


def test_ids_in_base64_are_the_same_ids() -> None:
    plain = otel_genai.FORMAT.decode(span({}))[0]
    coded = otel_genai.FORMAT.decode(
        {"traceId": "qqqqqqqqqqqqqqqqqqqqqg==", "spanId": "u7u7u7u7u7s="}
    )[0]
    assert coded.id == plain.id


DIALECTS: dict[int, dict[str, Any]] = {
    1: {"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "1"}]}]'},
    4: {"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "4"},
    3: {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "3"},
    2: {},
    5: {"ai.prompt.messages": '[{"role": "user", "content": "5"}]'},
}
EVENTS = [{"name": "gen_ai.user.message", "attributes": {"content": "2"}}]


@pytest.mark.parametrize("first", range(5))
def test_dialects_have_an_order_and_are_never_merged(first: int) -> None:
    order = list(DIALECTS)[first:]
    attributes = {key: value for one in order for key, value in DIALECTS[one].items()}
    found = call(attributes, events=EVENTS if 2 in order else [])
    assert [message.text for message in found.input] == [str(order[0])]
    assert found.extra["otel-genai"]["dialect"] == order[0]
    kept = found.extra["otel-genai"].get("attributes", {})
    assert all(key in kept for one in order[1:] for key in DIALECTS[one])


def test_caches_beside_the_input_are_added_and_flagged() -> None:
    counts = {"input_tokens": 5, "output_tokens": 1, "cache_read_tokens": 90}
    found = call({f"gen_ai.usage.{key}": n for key, n in counts.items()})
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.cache_read) == (95, 90)
    assert found.usage.raw == {f"gen_ai.usage.{key}": n for key, n in counts.items()}
    assert found.usage.total_tokens is None
    assert any("without caches" in flag for flag in found.flags)


def test_a_span_that_got_over_its_exception_did_not_fail() -> None:
    thrown = [{"name": "exception", "attributes": {"exception.type": "Timeout"}}]
    assert call({}, events=thrown, status={"code": 1}).error is None
    failed = call({}, events=thrown).error
    assert failed is not None
    assert failed.type == "Timeout"


def test_an_attribute_of_another_type_is_kept_unread() -> None:
    odd = {"gen_ai.usage.input_tokens": "many", "gen_ai.request.model": ["a"], "user.id": {}}
    found = call(odd)
    assert (found.usage, found.model, found.person) == (None, None, None)
    assert found.extra["otel-genai"]["attributes"] == odd


def test_tool_spans_are_tool_runs() -> None:
    [run] = otel_genai.FORMAT.decode(
        span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "a"})
    )
    assert isinstance(run, ToolRun)
    assert run.name == "a"


# ── broken records ──────────────────────────────────────────────────────────────────────────────────────────────


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


odd = st.one_of(
    strategies.json_values(),
    st.sampled_from(
        (
            *(None, True, -1, 10**400, 1.5, float("nan"), float("inf"), "\ud800", "\x00", b"bytes"),
            *([], {}, [[]], [None], {"": None}, {"stringValue": 3}, {"intValue": "-9"}, deep(300)),
            *("[" * 300, '[{"role": 3, "parts": 4}]', '{"type": []}', '["\\ud800"]', "1e999"),
        )
    ),
)


def places(value: Any, place: tuple[Any, ...] = ()) -> Any:
    yield place
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, dict | list):
            yield from places(inner, (*place, key))
        else:
            yield (*place, key)


@settings(max_examples=300)
@given(record=st.sampled_from(RECORDS), data=st.data())
def test_whatever_is_broken_is_named_by_its_path(record: Any, data: st.DataObject) -> None:
    form, path = record
    broken = load(path)
    place = data.draw(st.sampled_from([place for place in places(broken) if place]))
    holder = broken
    for step in place[:-1]:
        holder = holder[step]
    if data.draw(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = data.draw(odd)
    check(form, broken)


KEYS = sorted(
    {
        pair["key"]
        for _, path in RECORDS
        for match in [json.loads(path.read_text())]
        for group in (match.get("resourceSpans", []) if isinstance(match, dict) else [])
        for scope in group["scopeSpans"]
        for one in scope["spans"]
        for pair in one["attributes"]
    }
)


@settings(max_examples=300)
@given(
    st.sampled_from(list(FORMATS.values())), st.dictionaries(st.sampled_from(KEYS), odd, max_size=8)
)
def test_attributes_of_any_type_never_break_a_span(form: Format, attributes: Any) -> None:
    assert len(form.decode(span(attributes))) == 1
    check(form, span(attributes))


def check(form: Format, broken: Any) -> None:
    failed = None
    try:
        for item in form.decode(broken):
            jsontext.loads(jsontext.dumps(item.to_json()))
    except InputError as error:
        failed = error
    whole = ("is neither an OTLP", "must be an object")  # nothing in it is to blame
    assert failed is None or failed.path or failed.reason.startswith(whole)
    form.detect(broken)
