"""What each vendor keeps of an annotation, value by value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import llmtee
from llmtee import HoneyHive, Inkeep, registry
from llmtee.errors import InputError
from llmtee.fidelity import Ledger
from llmtee.model import Annotation, Person, Reason, load_supplement
from llmtee.spec import supplement_out
from llmtee.testing import strategies
from llmtee.testing.emulators import HoneyHiveEmulator, InkeepEmulator
from llmtee.vendors.honeyhive import read_supplement

FULL = Annotation(
    target="0198f000-0000-7000-8000-000000000000",
    at="2026-01-02T03:04:05Z",
    person=Person(id="user_1"),
    rating="positive",
    comment="Just right",
    reasons=(Reason(label="fast", details="very"),),
    action="copied",
    feedback={"ground_truth": "Hi"},
    metrics={"score": 0.9},
    outputs={"content": "Hi"},
    properties={"device": "phone"},
)


def statuses(ledger: Ledger) -> dict[str, str]:
    return {entry.path: entry.status for entry in ledger.entries}


@settings(max_examples=15)
@given(supplement=strategies.supplements())
def test_any_supplement_comes_back_from_its_json(supplement) -> None:
    assert load_supplement(supplement.to_json()) == supplement


def test_honeyhive_keeps_what_an_update_can_say() -> None:
    found = statuses(llmtee.explain(FULL, HoneyHive(api_key="k")))
    assert found.pop("at") == "lost"
    assert found.pop("id") == "changed"
    assert set(found.values()) == {"kept"}


def test_words_of_others_in_an_update_stay_feedback() -> None:
    theirs = {"rating": 5, "comment": ["a", "list"], "mine": True}
    body = {"event_id": FULL.target, "feedback": theirs}
    assert read_supplement(body).feedback == theirs
    with pytest.raises(InputError):
        read_supplement({"feedback": theirs})


def test_inkeep_keeps_a_rating_and_parks_the_rest() -> None:
    found = statuses(llmtee.explain(FULL, Inkeep(api_key="k")))
    kept = {path for path, status in found.items() if status == "kept"}
    assert kept == {
        "id",
        "at",
        "person.id",
        "rating",
        "comment",
        "reasons[].label",
        "reasons[].details",
    }
    parked = {path for path, status in found.items() if status == "parked"}
    assert parked == {
        "target",
        "action",
        "feedback.ground_truth",
        "metrics.score",
        "outputs.content",
        "properties.device",
    }


@pytest.mark.parametrize(
    ("vendor", "reason"),
    [
        ("voker", "Voker has no place for feedback and metrics"),
        ("roark", "Roark has no place for feedback and metrics"),
    ],
)
def test_the_ledger_of_a_vendor_without_a_place_says_so(vendor, reason) -> None:
    ledger = llmtee.explain(FULL, vendor)
    assert set(statuses(ledger).values()) == {"lost"}
    assert {entry.reason for entry in ledger.entries} == {reason}


@settings(max_examples=15)
@given(supplement=strategies.supplements())
def test_what_is_sent_is_what_the_emulators_take(supplement) -> None:
    for emulator, api in ((HONEYHIVE, "legacy"), (HONEYHIVE, "v1"), (INKEEP, None)):
        vendor = registry.vendor(emulator.vendor)
        own = vendor.settings(api_key=emulator.key, **({"api": api} if api else {}))
        wire = supplement_out(vendor, supplement, own).wire
        if wire.body is None:
            continue
        [request] = vendor.pack([wire], own, {})
        answer = emulator.ask(request.method, request.path, request.content)
        assert answer.status == 404, answer  # well formed, and about something that was never sent


HONEYHIVE, INKEEP = HoneyHiveEmulator(), InkeepEmulator()
