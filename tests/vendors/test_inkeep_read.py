"""Inkeep's history is read in full while it changes: pure readers over a simulated list, and over HTTP."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee import Annotation, Conversation, Inkeep, registry
from llmtee.delivery import history
from llmtee.errors import ApiUnauthorised, HistoryIncomplete, InputError
from llmtee.model import Reason
from llmtee.spec import Exchange, Position, Request, Window
from llmtee.testing.emulators import InkeepEmulator
from llmtee.vendors.inkeep.read import read
from llmtee.vendors.inkeep.sketch import CAPACITY, Sketch, key_of

BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
START = BEGIN + dt.timedelta(days=10)
WINDOW = Window(until=START)


def iso(time: dt.datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# ── a list that changes between requests ────────────────────────────────────────────────────────────────────────

ORDERS = {
    "oldest first": lambda row: (row["createdAt"], row["id"]),
    "newest first": lambda row: (row["createdAt"], row["id"]),
    "changed last": lambda row: (row["updatedAt"], row["id"]),
    "changed first": lambda row: (row["updatedAt"], row["id"]),
}


@dataclass
class Listed:
    """Inkeep's list of conversations, in one of the orders that it may have."""

    order: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    ticks: int = 0
    made: int = 0

    def now(self) -> dt.datetime:
        self.ticks += 1
        return START + dt.timedelta(seconds=self.ticks)

    def insert(self, created: dt.datetime | None = None) -> None:
        time = iso(created or self.now())
        self.made += 1
        own = f"c{self.made:05}"
        self.rows[own] = {
            "id": own,
            "type": "openai",
            "createdAt": time,
            "updatedAt": time,
            "messages": [{"id": f"{own}-m", "role": "user", "content": "Hi"}],
        }

    def sorted(self) -> list[dict[str, Any]]:
        backwards = self.order in ("newest first", "changed first")
        return sorted(self.rows.values(), key=ORDERS[self.order], reverse=backwards)

    def change(self, step: tuple[str, int]) -> None:
        what, place = step
        rows = self.sorted()
        if what == "insert" or (what == "import" and "changed" in self.order):
            self.insert()
        elif what == "import":  # what is dated back stands somewhere in the middle
            self.insert(BEGIN + dt.timedelta(minutes=place % 1000, milliseconds=500))
        elif rows:
            row = rows[place % len(rows)]
            if what == "delete":
                del self.rows[row["id"]]
            else:
                self.rows[row["id"]] = {**row, "updatedAt": iso(self.now())}

    def answer(self, request: Request, largest: int = 100) -> Exchange:
        if request.path == "/feedback":
            empty = {"positiveFeedbackCount": 0, "negativeFeedbackCount": 0}
            body = {**empty, "positiveFeedback": [], "negativeFeedback": []}
        else:
            offset = int(request.query["offset"])
            size = min(int(request.query["limit"]), largest)
            rows = self.sorted()
            shown = rows[offset : offset + size]
            body = {"conversations": shown, "total": len(rows), "pageSize": size}
            body["count"] = len(shown)
        return Exchange(request, status=200, content=json.dumps(body).encode(), received_at=START)


def filled(order: str, count: int) -> Listed:
    listed = Listed(order)
    for i in range(count):
        listed.insert(BEGIN + dt.timedelta(minutes=i))
    return listed


@dataclass
class Reading:
    ids: list[str] = field(default_factory=list)
    requests: int = 0
    largest_position: int = 0
    notes: list[str] = field(default_factory=list)


def read_through(
    listed: Listed, script: list[list[tuple[str, int]]], *, size: int, largest: int = 100
) -> Reading:
    """Reads with a new reader for each page, from a position that was JSON meanwhile."""
    done = Reading()
    position: Position | None = read(Inkeep(max_items=size)).start(WINDOW)
    while position is not None:
        text = json.dumps(position)
        done.largest_position = max(done.largest_position, len(text))
        reader, position = read(Inkeep(max_items=size)), json.loads(text)
        for step in script[done.requests] if done.requests < len(script) else ():
            listed.change(step)
        (request,) = reader.requests(position)
        done.requests += 1
        page = reader.page(position, [listed.answer(request, largest)])
        done.ids += [item.id for item in page.items]
        done.notes += page.notes
        position = page.next
    return done


CHANGES = ("insert", "insert", "update", "update", "delete", "import")
STEPS = st.tuples(st.sampled_from(CHANGES), st.integers(0, 10_000))


@given(
    order=st.sampled_from(list(ORDERS)),
    count=st.integers(0, 60),
    size=st.integers(2, 20),
    script=st.lists(st.lists(STEPS, max_size=6), max_size=14),
)
def test_whatever_changes_meanwhile_each_conversation_is_read_once(
    order, count, size, script
) -> None:
    listed = filled(order, count)
    before = set(listed.rows)
    try:
        done = read_through(listed, script, size=size)
    except HistoryIncomplete:
        return
    assert len(done.ids) == len(set(done.ids))
    assert before & set(listed.rows) <= set(done.ids)


@settings(max_examples=15)
@given(
    order=st.sampled_from(list(ORDERS)),
    count=st.integers(30, 80),
    script=st.lists(st.lists(STEPS, max_size=3), max_size=12),
)
def test_changes_that_end_do_not_keep_a_history_from_being_read(order, count, script) -> None:
    listed = filled(order, count)
    before = set(listed.rows)
    done = read_through(listed, script, size=10)
    assert len(done.ids) == len(set(done.ids))
    assert before & set(listed.rows) <= set(done.ids)
    assert done.largest_position < 15_000


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
def test_what_comes_new_costs_no_second_sweep(order) -> None:
    listed = filled(order, 200)
    quiet = read_through(filled(order, 200), [], size=20)
    live = read_through(listed, [[("insert", 0)] * 3] * 100, size=20)
    assert sorted(live.ids) == sorted(quiet.ids) == [f"c{i:05}" for i in range(1, 201)]
    assert not [note for note in live.notes if "again" in note]
    assert live.requests < quiet.requests * 2


def test_a_page_smaller_than_asked_for_is_taken_as_it_comes() -> None:
    done = read_through(filled("newest first", 45), [[("insert", 0)]] * 12, size=50, largest=7)
    assert len(done.ids) == len(set(done.ids)) == 45


def test_a_conversation_that_moves_ahead_of_the_reader_is_found_again() -> None:
    listed = filled("changed first", 40)
    script = [[], [("update", 39)]]  # the last one, unread, goes to the front
    done = read_through(listed, script, size=10)
    assert sorted(done.ids) == [f"c{i:05}" for i in range(1, 41)]
    assert done.ids[-1] == "c00001"
    assert any("read again and compared" in note for note in done.notes)


def test_a_list_that_never_settles_is_said_to_be_incomplete() -> None:
    listed = filled("changed first", 60)
    with pytest.raises(HistoryIncomplete, match=r"12 times .* quieter time"):
        read_through(listed, [[("update", 59)]] * 1000, size=10)


def test_more_changes_than_can_be_remembered_are_said_to_be_too_many() -> None:
    listed = filled("changed first", 2 * CAPACITY + 100)
    script = [[], [("update", len(listed.rows) - 1)] * (2 * CAPACITY)]
    with pytest.raises(HistoryIncomplete, match="changed their places"):
        read_through(listed, script, size=50)


def test_what_lies_outside_of_the_window_is_counted() -> None:
    listed = filled("oldest first", 10)
    window = Window(since=BEGIN + dt.timedelta(minutes=4), until=BEGIN + dt.timedelta(minutes=7))
    reader = read(Inkeep())
    position = reader.start(window)
    page = reader.page(position, [listed.answer(reader.requests(position)[0])])
    assert [item.id for item in page.items] == ["c00005", "c00006", "c00007"]
    assert page.notes == ("7 conversations lie outside of the time that is read",)
    assert page.total == 10


# ── answers that do not add up ──────────────────────────────────────────────────────────────────────────────────


def answered(body: Any) -> Any:
    reader = read(Inkeep())
    position = reader.start(WINDOW)
    while True:  # what may be a moment's is asked for again
        (request,) = reader.requests(position)
        exchange = Exchange(request, status=200, content=json.dumps(body).encode())
        page = reader.page(position, [exchange])
        if page.items or page.next is None:
            return page
        position = page.next


ROW = filled("oldest first", 1).sorted()[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"conversations": [ROW]}, "no total"),
        ({"total": 3}, "no conversations"),
        ({"conversations": [], "total": 3, "count": 0}, "empty, though there are 3"),
        ({"conversations": [ROW], "total": 3, "count": 2}, "has 2 conversations, and has 1"),
        ({"conversations": [ROW, ROW], "total": 9}, "same id twice"),
    ],
)
def test_an_answer_that_does_not_add_up_is_an_error(body, said) -> None:
    with pytest.raises(HistoryIncomplete, match=said):
        answered(body)


def test_an_answer_of_another_shape_names_the_place() -> None:
    with pytest.raises(InputError, match=r"conversations\[0\]\.messages"):
        answered({"conversations": [{"id": "c", "messages": 3}], "total": 1})
    with pytest.raises(InputError, match=r"conversations\[0\]\.createdAt"):
        answered({"conversations": [{**ROW, "createdAt": "soon"}], "total": 1})


def test_feedback_that_is_missing_on_a_page_is_an_error() -> None:
    reader = read(Inkeep(max_items=10))
    position = reader.start(WINDOW)
    empty = {"conversations": [], "total": 0}
    rated = {"positiveFeedback": [{"id": "f1", "type": "positive"}], "positiveFeedbackCount": 30}
    for body in (empty, rated, rated, rated):
        exchange = Exchange(
            reader.requests(position)[0], status=200, content=json.dumps(body).encode()
        )
        position = reader.page(position, [exchange]).next
    exchange = Exchange(reader.requests(position)[0], status=200, content=exchange.content)
    with pytest.raises(HistoryIncomplete, match="max_items=2"):
        reader.page(position, [exchange])


# ── the sketch ──────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=20)
@given(ours=st.sets(st.integers(0, 60)), theirs=st.sets(st.integers(0, 60)), seed=st.integers(0, 9))
def test_two_sketches_tell_their_difference(ours, theirs, seed) -> None:
    common = [key_of("common", str(i)) for i in range(300)]
    one = {key_of(str(seed), str(i)) for i in ours}
    other = {key_of(str(seed), str(i)) for i in theirs}
    left = Sketch(str(Sketch().add([*common, *one])))
    assert left.without(Sketch().add([*other, *common])) == (one - other, other - one)


def test_a_sketch_says_when_the_difference_is_too_large() -> None:
    assert Sketch().add(key_of(str(i)) for i in range(1000)).without(Sketch()) is None
    few = {key_of(str(i)) for i in range(CAPACITY)}
    assert Sketch().add(few).without(Sketch()) == (few, set())
    with pytest.raises(ValueError, match="a sketch has"):
        Sketch("AAAA")


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────


def conversation(number: int, **fields: Any) -> dict[str, Any]:
    time = iso(BEGIN + dt.timedelta(minutes=number))
    message = {"id": f"m{number}", "role": "user", "content": f"Hi {number}"}
    own = {"id": f"c{number}", "type": "openai", "createdAt": time, "updatedAt": time}
    return {**own, "externalId": f"session {number}", "messages": [message], **fields}


def written(emulator: InkeepEmulator, count: int) -> None:
    for number in range(count):
        assert emulator.ask("POST", "/conversations", conversation(number)).status == 200


@pytest.mark.parametrize("order", ["created", "newest", "changed"])
def test_conversations_that_come_and_change_while_they_are_read(order) -> None:
    with InkeepEmulator() as emulator:
        emulator.order = order
        written(emulator, 45)

        def change(requests: int) -> None:
            late = iso(START + dt.timedelta(seconds=requests))
            if requests < 8:
                new = {"createdAt": late, "updatedAt": late}
                emulator.ask("POST", "/conversations", conversation(100 + requests, **new))
                emulator.ask("POST", "/conversations", conversation(requests, updatedAt=late))

        emulator.between_requests(change)
        exporter = emulator.exporter(max_items=10)
        items = [item for page in history.pages(exporter, WINDOW) for item in page.items]
    assert sorted(item.id for item in items) == sorted(f"c{number}" for number in range(45))
    assert {item.session for item in items} == {f"session {number}" for number in range(45)}


def test_all_feedback_is_read_with_the_session_of_its_conversation() -> None:
    said = {"createdAt": iso(BEGIN), "reasons": [{"label": "fast", "details": "very"}]}
    with InkeepEmulator() as emulator:
        written(emulator, 25)
        for number in range(25):
            body = {"id": f"f{number}", "messageId": f"m{number}", **said}
            body["type"] = "negative" if number % 5 == 0 else "positive"
            assert emulator.ask("POST", "/feedback", body).status == 200
        late = {**body, "id": "late", "createdAt": iso(START + dt.timedelta(days=1))}
        emulator.ask("POST", "/feedback", late)
        read_pages = list(history.pages(emulator.exporter(max_items=8), WINDOW))
    items = [item for page in read_pages for item in page.items]
    ratings = {item.id: item for item in items if isinstance(item, Annotation)}
    assert len(items) - len(ratings) == 25
    assert set(ratings) == {f"f{number}" for number in range(25)}
    one = ratings["f10"]
    assert (one.target, one.target_type, one.rating) == ("m10", "message", "negative")
    assert (one.session, one.reasons) == ("session 10", (Reason(label="fast", details="very"),))
    notes = [note for page in read_pages for note in page.notes]
    assert notes == ["1 positive feedback lie outside of the time that is read"]
    assert read_pages[-1].total == 25 + 26


def test_what_was_written_with_a_carry_is_read_back_as_it_was() -> None:
    vendor = registry.vendor("inkeep")
    native = Conversation.model_validate(
        {
            "id": "c1",
            "session": "s1",
            "started_at": BEGIN,
            "metrics": {"score": 0.5},
            "messages": [
                {"id": "m1", "role": "developer", "parts": [{"type": "text", "text": "A"}]}
            ],
        }
    )
    with InkeepEmulator() as emulator:
        exporter = emulator.exporter(carry=True)
        body = vendor.render(native, exporter).body
        assert emulator.ask("POST", "/conversations", body).status == 200
        pages = list(history.pages(exporter, WINDOW))
    (item,) = pages[0].items
    assert (item.metrics, item.messages[0].role) == ({"score": 0.5}, "developer")
    assert item.flags == ()


def test_the_key_of_a_web_integration_is_told_apart() -> None:
    with InkeepEmulator() as emulator:
        exporter = emulator.exporter(api_key=emulator.web_key)
        with pytest.raises(ApiUnauthorised, match="takes the key of an API integration"):
            list(history.pages(exporter, WINDOW))
