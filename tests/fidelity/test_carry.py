"""With a carry, what is read back is what was rendered. The law itself is in the contract kit, for every vendor."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import llmtee
from llmtee import HoneyHive, Inkeep, Roark, Voker, functions, jsontext, registry
from llmtee._data_files import data_dir
from llmtee.assembly import fit
from llmtee.model import (
    Agent,
    Conversation,
    Generation,
    Item,
    Message,
    ModelCall,
    Native,
    Step,
    TextPart,
    Usage,
)
from llmtee.spec import (
    Capabilities,
    CarrySlot,
    ExporterSettings,
    Limits,
    Request,
    RetryPolicy,
    Vendor,
    WireItem,
    carry_of,
    carrying,
)
from llmtee.testing import strategies
from llmtee.testing.emulators import HoneyHiveEmulator

FIXTURES = data_dir("fixtures")
EXPORTERS = [
    HoneyHive(carry=True),
    HoneyHive(carry=True, api="v1"),
    HoneyHive(carry=True, sessions="mixed"),
    Inkeep(carry=True),
    Inkeep(carry=True, tool_results="text", visibility="private"),
    Roark(carry=True),
    Roark(carry=True, external_id=False),
]
CARRYING = [HoneyHive(carry=True), Inkeep(carry=True), Roark(carry=True)]

each = pytest.mark.parametrize("exporter", CARRYING, ids=lambda exporter: exporter.vendor)


def exactly(item: Item) -> bytes:
    return jsontext.dumps(item.to_json())


def call(number: int = 1, **more: Any) -> ModelCall:
    answer = {"role": "assistant", "parts": [TextPart(text=f"Answer {number}.")]}
    fields = {
        "id": f"call-{number}",
        "session": "session-1",
        "started_at": f"2026-01-01T10:00:0{number}.123456Z",
        "input": [{"role": "user", "parts": [TextPart(text=f"Question {number}?")]}],
        "choices": [{"message": answer}],
        "native": {"dialect": "mine", "request": {"q": 1.0, "a": [1, True]}, "response": 2**70},
    }
    return ModelCall.model_validate({**fields, **more})


def conversation(**more: Any) -> Conversation:
    made = Generation(model="m", usage=Usage(input_tokens=3, raw={"n": 3.0}))
    said = [
        {"role": "user", "parts": [TextPart(text="What does it cost?")], "tags": ("a",)},
        {"role": "assistant", "parts": [TextPart(text="Five.")], "generation": made},
    ]
    return Conversation.model_validate(
        {"id": "c-1", "messages": said, "started_at": "2026-01-01T10:00:00.123456Z", **more}
    )


def an_item(exporter: ExporterSettings) -> Item:
    return call() if registry.vendor(exporter.vendor).grain == "event" else conversation()


def rendered(item: Item, exporter: ExporterSettings) -> Any:
    [one] = functions.render([item], exporter)
    return one.wire.body


def slot(exporter: ExporterSettings, body: Any) -> tuple[Any, str]:
    """The object that has the carry as a field, and the field."""
    spec = registry.vendor(exporter.vendor).carry
    assert spec is not None
    *way, last = spec.path.split(".")
    for key in way:
        body = body[key]
    return body, last


# ── the law ─────────────────────────────────────────────────────────────────────────────────────────────────────

HINTS: dict[str, Any] = {
    "honeyhive": {"project": "p", "children_ids": ["x"], "mine": 1},
    "inkeep": {"type": "support_ticket", "properties": {}, "updatedAt": None},
    "roark": {"no_external_id": "c-1", "totals": {"model": "m"}, "empty": {"traceId": True}},
}
ODD: dict[str, Any] = {"llmtee": {"carry": "mine"}, "llmteeWords": "sessionId", "model": 1}


def _hinted(item: Item, owner: str, odd: str) -> Item:
    """An item with fields that a vendor left in it, and properties with the names of ours."""
    return item.model_copy(
        update={
            "extra": {owner: HINTS[owner]},
            "properties": {**item.properties, odd: ODD[odd]},
        }
    )


def items() -> st.SearchStrategy[Item]:
    plain = strategies.events() | strategies.conversations()
    hinted = st.builds(_hinted, plain, st.sampled_from(sorted(HINTS)), st.sampled_from(sorted(ODD)))
    return plain | hinted


def assert_law(items: list[Item], exporter: ExporterSettings) -> None:
    vendor = registry.vendor(exporter.vendor)
    for item in fit(items, vendor.grain):
        wire = vendor.render(item, exporter)
        if wire.body is not None:
            payload = jsontext.loads(jsontext.dumps(wire.body))
            assert [exactly(found) for found in vendor.parse(payload)] == [exactly(item)]


@pytest.mark.slow
@pytest.mark.parametrize("exporter", EXPORTERS, ids=repr)
@given(item=items())
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_read_back_is_what_was_rendered(item: Item, exporter: ExporterSettings) -> None:
    assert_law([item], exporter)


@pytest.mark.parametrize("exporter", EXPORTERS, ids=repr)
@pytest.mark.parametrize("owner", sorted(HINTS))
@pytest.mark.parametrize("odd", sorted(ODD))
def test_fields_with_the_names_of_ours_are_no_obstacle(
    exporter: ExporterSettings, owner: str, odd: str
) -> None:
    assert_law([_hinted(call(), owner, odd), _hinted(conversation(), owner, odd)], exporter)


@each
def test_numbers_that_json_has_not_are_carried(exporter: ExporterSettings) -> None:
    event = call(duration_ms=float("inf"))
    if registry.vendor(exporter.vendor).grain == "event":
        [back] = functions.parse(rendered(event, exporter), exporter.vendor)
        assert back.duration_ms == float("inf")  # type: ignore[union-attr]


def test_a_whole_batch_comes_back_its_session_too() -> None:
    session = Step(
        id="session-1",
        session="session-1",
        step_type="session",
        name="n",
        started_at="2026-01-01T10:00:00.000001Z",
        flags=("x",),
        agent=Agent(name="helper"),
    )
    events: list[Item] = [session, call(1), call(2, parent="call-1"), call(3)]
    exporter = HoneyHive(carry=True)
    vendor = registry.vendor("honeyhive")
    wires = [vendor.render(event, exporter) for event in events]
    [request] = vendor.pack(wires, exporter, {})
    assert len(request.items) == len(request.body["events"]) == 4
    assert "llmtee" not in request.body["session_properties"]["metadata"]
    back = vendor.parse(request.body)
    assert [exactly(item) for item in back] == [exactly(item) for item in events]
    answer = vendor.parse({"events": request.body["events"][::-1], "count": 4})
    assert [exactly(item) for item in answer] == [exactly(item) for item in events[::-1]]


def test_what_an_exporter_delivers_carries_too(tmp_path: Path) -> None:
    event = call(session="caf77ace-3417-4da4-944d-f4a0688f3c23")
    with HoneyHiveEmulator() as server:
        exporter = HoneyHive(api_key=server.key, base_url=server.url, carry=True)
        with llmtee.Tee([exporter], dir=tmp_path) as tee:
            tee.record(event)
            assert tee.flush(timeout=20)["honeyhive"].delivered == 1
        [posted] = server.requests
        found = functions.parse(posted.body, "honeyhive")
    assert exactly(event) in [exactly(item) for item in found]


# ── a carry that does not fit ───────────────────────────────────────────────────────────────────────────────────


@each
def test_what_a_vendor_adds_is_kept_beside_the_carry(exporter: ExporterSettings) -> None:
    item = an_item(exporter)
    body = rendered(item, exporter)
    holder = body["metadata"] if exporter.vendor == "honeyhive" else body["properties"]
    holder["added"] = "by the vendor"
    [back] = functions.parse(body, exporter.vendor)
    assert back.properties == {**item.properties, "added": "by the vendor"}
    assert exactly(back.model_copy(update={"properties": item.properties})) == exactly(item)


CHANGES: dict[str, Any] = {
    "honeyhive": lambda body: body.update(start_time=1767261600000),
    "inkeep": lambda body: body["messages"].append({"id": "m", "role": "user", "content": "Hm."}),
    "roark": lambda body: body.update(startTimestamp="2026-01-01T09:00:00Z"),
}


@each
def test_a_payload_that_was_changed_where_it_matters_is_read_as_it_stands(
    exporter: ExporterSettings,
) -> None:
    body = rendered(an_item(exporter), exporter)
    CHANGES[exporter.vendor](body)
    plain = copy.deepcopy(body)
    [back] = functions.parse(body, exporter.vendor)
    [flag] = back.flags
    assert flag.startswith("carry: does not fit the payload")
    holder, key = slot(exporter, plain)
    del holder[key]
    [bare] = functions.parse(plain, exporter.vendor)
    assert back == bare.model_copy(update={"flags": (flag,)})


@each
def test_a_text_that_was_edited_stays_edited(exporter: ExporterSettings) -> None:
    body = rendered(an_item(exporter), exporter)
    text = jsontext.dumps(body).replace(b"Five.", b"Six.").replace(b"Answer 1.", b"Six.")
    [back] = functions.parse(text, exporter.vendor)
    assert b"Six." in exactly(back)
    assert b"Five." not in exactly(back)


@each
@pytest.mark.parametrize(
    ("break_it", "flag"),
    [
        (lambda text: text[:-5], "carry: is damaged"),
        (lambda text: text[:40] + "…", "carry: is damaged"),
        (lambda text: text.replace("llmtee/1", "llmtee/2"), "carry: is of version 2, and"),
        (lambda text: f'{text[:29]}["no patch of an item"]', "carry: does not "),
        (lambda text: f"{text[:29]}[1,2,3,4]", "carry: does not fit the payload: "),
    ],
)
def test_a_carry_that_was_damaged_costs_no_item(
    exporter: ExporterSettings, break_it: Any, flag: str
) -> None:
    body = rendered(an_item(exporter), exporter)
    plain = copy.deepcopy(body)
    holder, key = slot(exporter, body)
    holder[key] = break_it(holder[key])
    [back] = functions.parse(body, exporter.vendor)
    [reason] = back.flags
    assert reason.startswith(flag)
    holder, key = slot(exporter, plain)
    del holder[key]
    [bare] = functions.parse(plain, exporter.vendor)
    assert bare.model_copy(update={"flags": back.flags}).to_json() == back.to_json()


@pytest.mark.parametrize("text", ["mine", "llmtee", "llmtee/1", "llmtee/1 x", 5, None, {"a": 1}])
def test_what_is_no_carry_is_left_alone(text: Any) -> None:
    body = rendered(Step(id="s", properties={"llmtee": text}), HoneyHive())
    [back] = functions.parse(body, "honeyhive")
    assert (back.properties, back.flags) == ({"llmtee": text}, ())


def test_a_payload_within_a_payload_is_content() -> None:
    inner = rendered(call(), HoneyHive(carry=True))
    body = rendered(Step(id="s", inputs={"events": [inner], "event": inner}), HoneyHive())
    [back] = functions.parse(body, "honeyhive")
    assert back.inputs == {"events": [inner], "event": inner}  # type: ignore[union-attr]


@given(payload=strategies.json_values())
def test_any_payload_is_read_as_without_carries(payload: Any) -> None:
    for name in ("honeyhive", "inkeep", "roark"):
        for value in (payload, [payload], {"events": payload}, {"data": payload}):
            outcomes = []
            for parse in (
                registry.vendor(name).parse,
                import_module(f"llmtee.vendors.{name}.parse").parse,
            ):
                try:
                    outcomes.append(parse(value))
                except llmtee.InputError as error:
                    outcomes.append(str(error))
            assert outcomes[0] == outcomes[1]


# ── anybody's vendor ────────────────────────────────────────────────────────────────────────────────────────────


class Acme(ExporterSettings):
    vendor = "acme"


def _acme_parse(payload: Any) -> list[Item]:
    listed = payload.get("rows", [payload])
    return [Step(id=row.get("id") or f"acme {row['title']}", name=row["title"]) for row in listed]


def _refuse(payload: Any) -> list[Item]:
    raise llmtee.InputError("no", path="x")


ACME = carrying(
    Vendor(
        name="acme",
        title="Acme",
        settings=Acme,
        grain="event",
        semantics="append",
        limits=Limits(bytes=2000),
        capabilities=lambda _: Capabilities(True, "id", False, False),
        retry=RetryPolicy(),
        auth=lambda _: {},
        render=lambda item, _: WireItem(item.id, {"title": item.name, "more": None}),  # type: ignore[union-attr]
        pack=lambda items, *_: [Request("POST", "/", body=items[0].body, items=tuple(items))],
        judge=lambda *_: [],
        parse=_acme_parse,
        carry=CarrySlot("more.x.llmtee", items=("", "rows[]")),
    )
)


def test_a_vendor_names_a_field_and_needs_to_know_no_more() -> None:
    events = [Step(id=str(i), name=f"step {i}", inputs={"n": i}) for i in range(3)]
    bodies = [ACME.render(event, Acme(carry=True)).body for event in events]
    assert ACME.parse({"rows": bodies}) == events
    assert ACME.parse(bodies[2]) == [events[2]]
    assert ACME.render(events[0], Acme()).body == {"title": "step 0", "more": None}
    assert "more.x.llmtee" in ACME.free_form
    assert carrying(ACME) is ACME


def test_an_id_that_the_vendor_changed_does_not_part_an_item_from_its_carry() -> None:
    events = [Step(id=f"acme step {i}", name=f"step {i}", inputs={"n": i}) for i in range(3)]
    rows = [ACME.render(event, Acme(carry=True)).body for event in events]
    found = ACME.parse({"rows": [{**row, "id": f"new {i}"} for i, row in enumerate(rows)]})
    assert found == [e.model_copy(update={"id": f"new {i}"}) for i, e in enumerate(events)]


def test_without_a_shrink_an_item_that_fits_without_its_carry_still_fits() -> None:
    wire = ACME.render(Step(id="1", name="n", inputs={"n": "x" * 1000}), Acme(carry=True))
    smaller = ACME.shrink(wire, 500, Acme(carry=True))
    assert smaller is not None
    assert smaller.size <= 500
    assert ACME.parse(smaller.body)[0].flags[0].startswith("carry: was cut")
    smallest = ACME.shrink(smaller, 50, Acme(carry=True))
    assert smallest is not None
    assert smallest.body == {"title": "n", "more": {}}
    assert any(note.path == "carry" for note in smallest.notes)
    assert ACME.shrink(smallest, 10, Acme(carry=True)) is None


@pytest.mark.parametrize("name", ["honeyhive", "inkeep", "roark"])
def test_the_functions_of_a_vendor_can_be_sent_to_another_process(name: str) -> None:
    vendor = registry.vendor(name)
    render, parse = pickle.loads(pickle.dumps((vendor.render, vendor.parse)))
    exporter = next(one for one in CARRYING if one.vendor == name)
    item = an_item(exporter)
    assert parse(render(item, exporter).body) == [item]


# ── too large ───────────────────────────────────────────────────────────────────────────────────────────────────


@each
def test_where_the_carry_does_not_fit_it_is_cut_and_says_so(exporter: ExporterSettings) -> None:
    item = an_item(exporter)
    item = item.model_copy(update={"id": "no-uuid" * 9, "source_ids": {"x": "y" * 99}})
    whole = registry.vendor(exporter.vendor).render(item, exporter)
    tight = exporter.model_copy(update={"max_bytes": whole.size - 1})
    wire = registry.vendor(exporter.vendor).render(item, tight)
    assert wire.size <= tight.max_bytes
    [note] = [note for note in wire.notes if note.path == "carry"]
    assert note.action == "trimmed"
    assert note.reason.startswith("carry cut: the item and its ")
    [back] = functions.parse(wire.body, exporter.vendor)
    assert back.flags[0].startswith("carry: was cut: the item and its ")
    ledger = functions.explain(item, tight)
    assert any(row.path == "carry" for row in ledger.rows())


@each
def test_what_is_trimmed_loses_its_carry_first(exporter: ExporterSettings) -> None:
    long = "word " * 4000
    item: Item = (
        call(name="x", properties={"note": long})
        if exporter.vendor == "honeyhive"
        else conversation(messages=(Message(role="user", parts=(TextPart(text=long),)),) * 2)
    )
    if exporter.vendor == "honeyhive":
        item = item.model_copy(update={"choices": (), "input": item.input * 2})  # type: ignore[union-attr]
    vendor = registry.vendor(exporter.vendor)
    wire = vendor.render(item, exporter)
    smaller = vendor.shrink(wire, 9000, exporter)
    assert smaller is not None
    assert smaller.size <= 9000
    assert {"carry"} < {note.path for note in smaller.notes}
    assert (carry_of(smaller, vendor) or "").startswith("llmtee/1 cut: ")
    [back] = vendor.parse(smaller.body)
    assert back.flags[0].startswith("carry: was cut: ")
    again = vendor.shrink(smaller, 6000, exporter)
    assert again is not None
    assert [note.path for note in again.notes].count("carry") == 1


def test_the_ledger_shows_what_trimming_would_cost() -> None:
    item = conversation(messages=(Message(role="user", parts=(TextPart(text="word " * 4000),)),))
    ledger = functions.explain(item, Inkeep(carry=True, max_bytes=5000))
    assert ledger.trimmed == 1
    assert "carry cut: " in str(ledger)
    assert functions.explain(item, Inkeep(max_bytes=50_000)).trimmed == 0


@each
@given(item=strategies.events() | strategies.conversations())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_with_a_carry_the_ledger_shows_nothing_lost(item: Item, exporter: ExporterSettings) -> None:
    for one in functions.render([item], exporter):
        assert one.ledger.lost == 0 or one.skip


@pytest.mark.parametrize(
    ("parse", "why"),
    [(lambda _: [], "reads back as nothing"), (_refuse, "cannot be read back: x: no")],
)
def test_what_does_not_read_back_goes_without_a_carry(parse: Any, why: str) -> None:
    blind = replace(ACME.render.args[0], parse=parse)  # type: ignore[attr-defined]
    wire = carrying(blind).render(Step(id="1", name="n"), Acme(carry=True))
    assert wire.body == {"title": "n", "more": None}
    [note] = wire.notes
    assert why in note.reason


def test_a_vendor_without_a_place_for_it_says_so() -> None:
    ledger = functions.explain(call(), Voker(), carry=True)
    assert "Voker has no free-form field that could hold it" in str(ledger)
    body = rendered(call(), Voker(carry=True))
    assert body == rendered(call(), Voker())


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────


def fixture_items() -> list[Item]:
    """Every event and conversation in the fixtures: conversations, formats, the vendors' own examples."""
    found: list[Item] = []
    for path in sorted((FIXTURES / "conversations").glob("*.jsonl")):
        found += llmtee.read(path)
    for path in sorted((FIXTURES / "formats").glob("*/*.json")):
        if not path.name.endswith(".expected.json"):
            found += functions.parse(path.read_bytes(), path.parent.name)
    for path in sorted((FIXTURES / "vendors").glob("*/*.json")):
        found += functions.parse(path.read_bytes(), path.parent.name)
    return found


def test_a_carry_holds_the_remainder_only(capsys: pytest.CaptureFixture[str]) -> None:
    """The share of a carry in the event it completes; Roark's chats show no more than texts, so it carries most."""
    most = {"honeyhive": 0.30, "inkeep": 0.10, "roark": 0.75}
    everything = fixture_items()
    for exporter in CARRYING:
        vendor = registry.vendor(exporter.vendor)
        carried = whole = count = 0
        for item in fit(everything, vendor.grain):
            wire = vendor.render(item, exporter)
            if wire.body is not None:
                count += 1
                carried += len((carry_of(wire, vendor) or "").encode())
                whole += len(exactly(item))
                assert [exactly(one) for one in vendor.parse(wire.body)] == [exactly(item)]
        with capsys.disabled():
            share = f"{carried:,} of {whole:,} bytes, {carried / whole:.1%}"
            print(f"\ncarry at {vendor.title}: {count} {vendor.grain}s, {share}")  # noqa: T201 - a figure
        assert count > 50
        assert carried < most[exporter.vendor] * whole


def test_a_long_history_is_not_carried_twice() -> None:
    def carried(turns: int) -> int:
        said = [
            Message(role=role, parts=(TextPart(text=f"{role} says something of length, {i}"),))
            for i in range(turns)
            for role in ("user", "assistant")
        ]
        request = {"messages": [{"role": m.role, "content": m.text} for m in said]}
        event = ModelCall(id="e", input=tuple(said), native=Native(dialect="d", request=request))
        wire = registry.vendor("honeyhive").render(event, HoneyHive(carry=True))
        return len(carry_of(wire, registry.vendor("honeyhive")) or "")

    assert carried(500) == carried(20)


def test_the_format_of_a_carry_stays() -> None:
    """Payloads outlive versions: this one must be read by every version that knows carries of version 1."""
    body = json.loads((Path(__file__).parent / "carry-v1.json").read_text("utf-8"))
    [back] = functions.parse(body, "honeyhive")
    assert exactly(back) == exactly(call(1, tags=("first",), duration_ms=2.5))
