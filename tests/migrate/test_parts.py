"""The pure parts of a migration, and the file in its directory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmtee
from llmtee import EventLog, Inkeep, Tee, Voker, assemble
from llmtee.delivery.claim import in_batches
from llmtee.errors import UsageError
from llmtee.migrate import Migration, Plan
from llmtee.migrate.fitting import (
    NOT_HERE,
    PROPERTY,
    fitted,
    fitted_supplement,
    in_order,
    time_of,
    with_times,
)
from llmtee.migrate.shapes import KEPT, Shapes, shape_of
from llmtee.migrate.staging import Cursor, Staging
from llmtee.model import (
    Annotation,
    Conversation,
    Event,
    Item,
    Message,
    ModelCall,
    TextPart,
    ToolRun,
)
from llmtee.privacy import Where
from llmtee.testing.emulators import InkeepEmulator, VokerEmulator, faults
from llmtee.testing.histories import history

AT = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def events(sessions: int) -> list[Event]:
    return [item for item in history(sessions) if not isinstance(item, Annotation)]  # type: ignore[misc]


# ── order and fit ───────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=8))
def test_items_are_in_the_order_of_their_times_and_none_is_lost(minutes: list[int | None]) -> None:
    items: list[Item] = [
        ToolRun(id=str(i), started_at=None if m is None else AT + dt.timedelta(minutes=m))
        for i, m in enumerate(minutes)
    ]
    ordered = in_order(items)
    assert sorted(ordered, key=lambda one: int(one.id)) == items
    times = [at for one in ordered if (at := time_of(one)) is not None]
    assert times == sorted(times)


def test_times_go_into_properties_only_where_there_are_any() -> None:
    dated = ModelCall(id="a", started_at=AT, properties={"plan": "pro"})
    assert with_times(dated).properties == {
        "plan": "pro",
        PROPERTY: {"started_at": "2025-01-01T00:00:00Z"},
    }
    bare = ModelCall(id="a")
    assert with_times(bare) is bare


def test_a_rating_finds_the_message_that_its_call_made_and_back() -> None:
    call = next(one for one in events(1) if isinstance(one, ModelCall) and one.choices)
    rating = Annotation(target=call.id, rating="positive", session=call.session)
    about = fitted_supplement(rating, [call], "conversation")
    [conversation] = assemble([call])
    assert isinstance(about, Annotation)
    assert about.target_type == "message"
    assert about.target in {message.id for message in conversation.messages}
    back = fitted_supplement(about, [conversation], "event")
    assert isinstance(back, Annotation)
    assert back.target in {event.id for event in fitted([conversation], "event")}


def test_a_rating_of_what_is_not_migrated_is_left_out() -> None:
    rating = Annotation(target="elsewhere", rating="positive")
    assert fitted_supplement(rating, [], "event") == NOT_HERE
    assert fitted_supplement(rating, list(events(1)), "conversation") == NOT_HERE
    assert fitted_supplement(rating, list(events(1)), "event") == NOT_HERE


# ── shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────

words = st.frozensets(st.sampled_from("abcdefgh"), max_size=4)


@given(st.lists(words, max_size=30), st.integers(0, 6))
def test_distinct_sessions_begin_with_the_commonest_and_each_adds_something(
    seen: list[frozenset[str]], count: int
) -> None:
    shapes = Shapes()
    for place, shape in enumerate(seen, 1):
        shapes.add(place, shape)
    chosen = shapes.distinct(count)
    assert len(chosen) == len(set(chosen)) <= count
    known: set[str] = set()
    for number, (place, shape) in enumerate(chosen):
        assert seen[place - 1] == shape
        assert number == 0 or shape - known
        known |= shape
    if chosen:
        assert seen.count(chosen[0][1]) == max(map(seen.count, seen))
    if count > 6 or len(chosen) < count:  # nothing is left that would add a word
        assert known == set().union(*seen)


def test_a_bounded_number_of_shapes_is_kept() -> None:
    shapes = Shapes()
    for place in range(3 * KEPT):
        shapes.add(place, frozenset({f"word {place}"}))
    assert len(shapes.first) == len(shapes.seen) == KEPT


def test_a_shape_says_what_there_is() -> None:
    found: set[str] = set()
    for event in events(40):
        found |= shape_of([event])
    assert {"tool call", "tool run", "image by url", "error", "several choices"} <= found
    assert {"session step", "feedback", "metrics", "system message"} <= found


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_comes_again_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    old = Conversation(id="a", session="s", started_at=AT, title="old")
    new = old.model_copy(update={"title": "new"})
    staging.add([old], position={"n": 1})
    staging.add([new], position=None)
    staging.end()
    staging.end()
    assert list(staging.queued()) == [(1, [new])]
    assert staging.held().conversations == 1
    staging.close()


def test_the_oldest_sessions_come_first_and_those_without_times_last(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    for number, minutes in enumerate((30, None, 10, 20)):
        at = None if minutes is None else AT + dt.timedelta(minutes=minutes)
        staging.add([ToolRun(id=f"e{number}", session=f"s{number}", started_at=at)], position={})
    staging.end()
    assert [items[0].session for _, items in staging.queued()] == ["s2", "s3", "s0", "s1"]
    assert [place for place, _ in staging.queued(3)] == [3, 4]
    assert staging.span() == (AT + dt.timedelta(minutes=10), False)
    staging.close()


def test_a_page_and_its_position_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    staging.add([ToolRun(id="a", session="s")], position={"n": 1})

    def failing() -> object:
        yield ToolRun(id="b", session="s")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        staging.add(failing(), position={"n": 2})  # type: ignore[arg-type]
    assert staging.fact("position") == {"n": 1}
    assert staging.held().events == 1
    staging.advance(Cursor("items", 7, 3))
    staging.close()
    again = Staging(tmp_path)
    assert again.cursor == Cursor("items", 7, 3)
    again.close()


def test_only_so_many_sessions_are_kept_and_all_of_them(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    staging.add(history(12), position=None, limit=3)
    staging.end()
    kept = [item for _, items in staging.queued() for item in items]
    names = list(dict.fromkeys(event.session for event in events(12)))[:3]
    assert {item.session for item in kept} == set(names)
    assert len(kept) == sum(event.session in names for event in events(12))
    staging.close()


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(1, 300), st.integers(1, 300))
def test_claims_are_of_whole_requests(count: int, limit: int) -> None:
    found = in_batches(count, limit)
    assert found % limit == 0
    assert max(count, limit) <= found < max(count, limit) + limit


def test_two_migrations_in_one_directory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("")
    target = Inkeep(api_key="k")
    with (
        Migration(path, target, dir=tmp_path / "m"),
        pytest.raises(UsageError, match="another process is at work"),
    ):
        Migration(path, target, dir=tmp_path / "m")
    Migration(path, target, dir=tmp_path / "m").close()


def test_run_says_what_to_choose_where_times_would_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(ModelCall(id="a", session="s", started_at=AT).to_json_text())
    with (
        Migration(path, Voker(api_key="k"), dir=tmp_path / "m") as migration,
        pytest.raises(UsageError, match=r"Voker has no field for times.*2025-01-01"),
    ):
        migration.run()


def test_a_history_without_times_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    call = next(one for one in events(3) if isinstance(one, ModelCall) and one.choices)
    undated = call.model_copy(update={"started_at": None, "ended_at": None})
    path.write_bytes(undated.to_json_text())
    with (
        VokerEmulator() as emulator,
        Migration(path, emulator.exporter(), dir=tmp_path / "m") as migration,
    ):
        plan = migration.plan()
        assert plan.undated == 1
        assert migration.run(plan).ok
        assert len(emulator.events) == 1


def test_what_fails_for_a_while_is_sent_again_and_arrives_once(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join(one.to_json_text() for one in events(3)))
    with (
        InkeepEmulator() as emulator,
        Migration(path, emulator.exporter(), dir=tmp_path / "m") as migration,
    ):
        emulator.script(faults.reset("after"), faults.status(503, retry_after=0))
        report = migration.run(verify=False)
        assert report.ok
        assert report.sent.retries
        assert len(emulator.conversations) == 3


# ── what a migration is told ────────────────────────────────────────────────────────────────────────────────────


def written(path: Path, sessions: int) -> Path:
    path.write_bytes(b"\n".join(one.to_json_text() for one in events(sessions)))
    return path


def test_options_of_a_directory_in_use_stay_as_they_are(tmp_path: Path) -> None:
    path, target = written(tmp_path / "in.jsonl", 1), Inkeep(api_key="k")
    Migration(path, target, dir=tmp_path / "m", limit=1).close()
    Migration(path, Inkeep(api_key="other", rate=3), dir=tmp_path / "m", limit=1).close()
    with pytest.raises(UsageError, match=r"limit was 1 and is 2.*--dir"):
        Migration(path, target, dir=tmp_path / "m", limit=2)
    with pytest.raises(UsageError, match=r"where was not given"):
        Migration(
            path,
            target.model_copy(update={"where": Where(tags=("eu",))}),
            dir=tmp_path / "m",
            limit=1,
        )
    with pytest.raises(UsageError, match=r"source was"):
        Migration(written(tmp_path / "b.jsonl", 1), target, dir=tmp_path / "m", limit=1)
    # What to do with times may be chosen when the plan has been looked at.
    Migration(path, target, dir=tmp_path / "m", limit=1, times="drop").close()


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ("log:nowhere", {}, "no such directory"),
        ("nothing.jsonl", {}, "neither a vendor"),
        (Voker(), {}, "cannot be read.*log:DIR"),
        ([], {}, "names nothing"),
        ("in.jsonl", {"limit": 0}, "limit must be 1"),
        ("in.jsonl", {"times": "now"}, "times must be"),
        ("in.jsonl", {"since": "yesterday"}, "since"),
        ("in.jsonl", {"since": "2026-01-02", "until": "2026-01-01"}, "is after until"),
    ],
)
def test_wrong_use_is_named(
    given: Any,
    options: dict[str, Any],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "in.jsonl", 1)
    with pytest.raises(UsageError, match=said):
        Migration(given, Inkeep(api_key="k"), dir="m", **options)


def test_limit_window_and_filter_take_a_part(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", 4)

    def planned(name: str, target: Inkeep | None = None, **options: Any) -> Plan:
        target = target or Inkeep(api_key="k")
        with Migration(path, target, dir=tmp_path / name, **options) as migration:
            return migration.plan(samples=0)

    assert planned("a", limit=2).held.sessions == 2
    assert planned("b", since="2025-03-01T09:20:00Z").held.sessions == 2
    assert planned("c", until="2025-03-01T09:10:00Z").held.sessions == 1
    filtered = planned("d", Inkeep(api_key="k", where=Where(agents=("sales",))))
    assert 0 < filtered.requests < 4
    assert filtered.requests + sum(filtered.skipped.values()) == 4


def test_what_is_redacted_is_not_kept_in_the_directory_either(tmp_path: Path) -> None:
    secret = "grace.hopper@example.com"
    path = tmp_path / "in.jsonl"
    call = ModelCall(id="a", session="s", input=(said(f"I am {secret}"),))
    path.write_bytes(call.to_json_text())
    with InkeepEmulator() as emulator:
        target = emulator.exporter(redact="email")
        with Migration(path, target, dir=tmp_path / "m") as migration:
            assert migration.run(verify=False).ok
    assert "I am" in str(emulator.conversations)
    assert secret not in str(emulator.conversations)
    kept = Staging(tmp_path / "m")
    assert [secret in str(items) for _, items in kept.queued()] == [False]
    kept.close()
    files = [one for one in (tmp_path / "m" / "log").rglob("*") if one.is_file()]
    assert files
    assert not any(secret.encode() in one.read_bytes() for one in files)


def said(text: str) -> Message:
    return Message(role="user", parts=(TextPart(text=text),))


def test_what_the_plan_says_is_lost_is_what_explain_says(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", 3)
    with Migration(path, Inkeep(api_key="k"), dir=tmp_path / "m") as migration:
        ledger = migration.plan(samples=1).ledger
    wanted = llmtee.explain(events(3), "inkeep")
    assert (ledger.kept, ledger.parked, ledger.lost) == (wanted.kept, wanted.parked, wanted.lost)
    assert {(one.path, one.status, one.count) for one in ledger.entries} == {
        (one.path, one.status, one.count) for one in wanted.entries
    }


def test_what_is_too_large_is_named_by_the_plan_and_is_a_dead_letter(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    large = ModelCall(id="large", session="s", input=(said("x" * 9000),))
    path.write_bytes(b"\n".join([large.to_json_text(), events(1)[0].to_json_text()]))
    with VokerEmulator() as emulator:
        target = emulator.exporter(max_bytes=8000, failed_calls=True)
        with Migration(path, target, dir=tmp_path / "m", times="drop") as migration:
            plan = migration.plan(samples=0)
            report = migration.run(plan)
    assert [one.id for one in plan.too_large] == ["large"]
    assert plan.too_large_count == 1
    assert [own for own, _ in report.sent.letters] == ["large"]
    assert not report.ok


def test_ctrl_c_lets_what_is_under_way_finish_and_the_same_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", 3)

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with InkeepEmulator() as emulator:
        target = emulator.exporter()
        with Migration(path, target, dir=tmp_path / "m") as migration:
            with pytest.raises(KeyboardInterrupt):
                migration.run(progress=interrupted, grace=60)
            assert migration.begun
            assert len(emulator.conversations) == 3  # so much was handed over
        with Migration(path, target, dir=tmp_path / "m") as migration:
            assert migration.run().ok
        assert [len(writes) for writes in emulator.writes.values()] == [1, 1, 1]


def test_ratings_travel_along_and_are_compared(tmp_path: Path) -> None:
    with Tee([], dir=tmp_path / "log", deliver=False) as tee:
        for item in history(6):
            tee.record(item, live=False)
    ratings = [item for item in history(6) if isinstance(item, Annotation)]
    assert ratings
    with InkeepEmulator() as emulator:
        log = EventLog(tmp_path / "log")
        with Migration(log, emulator.exporter(), dir=tmp_path / "m") as migration:
            plan = migration.plan(samples=0)
            report = migration.run(plan)
        assert plan.supplements == len(ratings)
        assert report.verification is not None
        assert report.verification.expected.supplements == len(ratings)
        assert report.ok
        assert set(emulator.feedback) == {rating.id for rating in ratings}
        emulator.feedback.popitem()
        with Migration(log, emulator.exporter(), dir=tmp_path / "m") as migration:
            assert not migration.verify().ok


def test_a_filter_that_is_a_function_is_known_again(tmp_path: Path) -> None:
    path = written(tmp_path / "in.jsonl", 1)
    for _ in range(2):
        target = Inkeep(api_key="k", where=lambda item: True)
        Migration(path, target, dir=tmp_path / "m").close()
