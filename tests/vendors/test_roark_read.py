"""Roark's history is read in full, chat by chat, while it grows and shrinks."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtee import Conversation, Roark, registry
from llmtee.delivery import history
from llmtee.errors import HistoryIncomplete, InputError
from llmtee.spec import Exchange, Page, Position, Request, Window
from llmtee.testing.emulators import RoarkEmulator
from llmtee.vendors.roark.read import read

BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
WINDOW = Window(until=BEGIN + dt.timedelta(days=10))


def iso(time: dt.datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def chat(number: int, **fields: Any) -> dict[str, Any]:
    start = BEGIN + dt.timedelta(minutes=number)
    said = [
        {"role": "CUSTOMER", "text": f"Question {number}", "startTimestamp": iso(start)},
        {
            "role": "AGENT",
            "text": f"Answer {number}",
            "startTimestamp": iso(start + dt.timedelta(milliseconds=1500)),
            "endTimestamp": iso(start + dt.timedelta(milliseconds=2250)),
        },
    ]
    return {
        "externalId": f"conversation {number}",
        "startTimestamp": iso(start),
        "endTimestamp": iso(start + dt.timedelta(seconds=30)),
        "agent": {"name": "support"},
        "customer": {"phoneNumberE164": None, "label": "user_1"},
        "messages": said,
        **fields,
    }


def written(emulator: RoarkEmulator, *numbers: int) -> None:
    for number in numbers:
        assert emulator.ask("POST", "/v1/chat", chat(number)).status == 201


def deleted(emulator: RoarkEmulator, external_id: str) -> None:
    emulator.chats = [one for one in emulator.chats if one.record["externalId"] != external_id]


def exchanged(emulator: RoarkEmulator, request: Request) -> Exchange:
    query = f"?{urlencode(request.query)}" if request.query else ""
    answer = emulator.ask(request.method, request.path + query)
    assert answer.status == 200 or (request.may_be_gone and answer.status == 404)
    return Exchange(request, status=answer.status, content=answer.content)


def read_through(
    emulator: RoarkEmulator, change: Callable[[int], None] = lambda _: None, *, size: int = 50
) -> list[Page]:
    """Reads with a new reader for each page, from a position that was JSON meanwhile. ``change`` gets the count of
    the requests before, as from an emulator."""
    pages: list[Page] = []
    requests = 0
    position: Position | None = read(Roark()).start(WINDOW)
    while position is not None:
        reader, position = read(Roark(max_items=size)), json.loads(json.dumps(position))
        assert len(json.dumps(position)) < 2000 + 100 * size
        exchanges = []
        for request in reader.requests(position):
            change(requests)
            exchanges.append(exchanged(emulator, request))
            requests += 1
        pages.append(reader.page(position, exchanges))
        position = pages[-1].next
    return pages


def items_of(pages: list[Page]) -> list[Conversation]:
    return [item for page in pages for item in page.items]


def notes_of(pages: list[Page]) -> list[str]:
    return [note for page in pages for note in page.notes]


@settings(max_examples=25)
@given(
    count=st.integers(0, 12),
    size=st.integers(1, 6),
    script=st.lists(st.lists(st.integers(-12, 3), max_size=2), max_size=20),
)
def test_whatever_comes_and_goes_meanwhile_each_chat_is_read_once(count, size, script) -> None:
    emulator = RoarkEmulator()
    written(emulator, *range(count))

    def change(requests: int) -> None:
        for step in script[requests] if requests < len(script) else ():
            if step > 0:
                written(emulator, 1000 + requests * 10 + step)
            elif emulator.chats:
                del emulator.chats[step % len(emulator.chats)]

    pages = read_through(emulator, change, size=size)
    ids = [item.id for item in items_of(pages)]
    left = {one.record["externalId"] for one in emulator.chats}
    assert len(ids) == len(set(ids))
    assert {f"conversation {number}" for number in range(count)} & left <= set(ids)


def test_offsets_become_times_and_the_metadata_is_the_chats() -> None:
    emulator = RoarkEmulator()
    properties = {"sessionId": "s1", "llmteeWords": "sessionId", "plan": "pro"}
    emulator.ask("POST", "/v1/chat", chat(7, properties=properties))
    pages = read_through(emulator)
    [conversation] = items_of(pages)
    assert (conversation.id, conversation.session) == ("conversation 7", "s1")
    assert conversation.properties == {"plan": "pro"}
    start = BEGIN + dt.timedelta(minutes=7)
    assert conversation.started_at == start
    assert conversation.ended_at == start + dt.timedelta(seconds=30)
    assert [(one.role, one.text) for one in conversation.messages] == [
        ("user", "Question 7"),
        ("assistant", "Answer 7"),
    ]
    assert conversation.messages[1].started_at == start + dt.timedelta(milliseconds=1500)
    assert conversation.messages[1].ended_at == start + dt.timedelta(milliseconds=2250)
    assert [one for one in notes_of(pages) if "tool invocations" in one]


def test_what_lies_outside_of_the_window_is_counted_and_its_transcript_not_asked_for() -> None:
    emulator = RoarkEmulator()
    written(emulator, *range(6))
    reader = read(Roark())
    window = Window(since=BEGIN + dt.timedelta(minutes=4), until=BEGIN + dt.timedelta(minutes=5))
    position = reader.start(window)
    [listing] = reader.requests(position)
    page = reader.page(position, [exchanged(emulator, listing)])
    _, *transcripts = reader.requests(page.next)
    assert len(transcripts) == 1
    last = reader.page(page.next, [exchanged(emulator, one) for one in (listing, *transcripts)])
    assert [item.id for item in last.items] == ["conversation 4"]
    assert "5 chats lie outside of the time that is read" in last.notes
    assert (last.next, last.total) == (None, 6)


def test_a_chat_that_is_deleted_between_its_list_and_its_transcript_is_named() -> None:
    emulator = RoarkEmulator()
    written(emulator, 1, 2, 3)
    own = emulator.chats[1].record["id"]
    pages = read_through(
        emulator, lambda requests: deleted(emulator, "conversation 2") if requests == 1 else None
    )
    assert [item.id for item in items_of(pages)] == ["conversation 1", "conversation 3"]
    assert f"chat {own} was deleted while the history was read" in notes_of(pages)


def test_a_chat_without_a_transcript_is_given_without_messages_and_named() -> None:
    emulator = RoarkEmulator()
    written(emulator, 1, 2)
    reader = read(Roark())
    position: Position | None = reader.start(WINDOW)
    pages = []
    while position is not None:
        exchanges = [exchanged(emulator, request) for request in reader.requests(position)]
        for i, exchange in enumerate(exchanges):
            if exchange.request.path.endswith("1/transcript"):
                exchanges[i] = Exchange(exchange.request, status=404, content=b"{}")
        pages.append(reader.page(position, exchanges))
        position = pages[-1].next
    texts = {item.id: len(item.messages) for item in items_of(pages)}
    assert texts == {"conversation 1": 0, "conversation 2": 2}
    assert any("no transcript of it" in note for note in notes_of(pages))


def test_a_chat_that_the_list_has_lost_is_asked_for_by_itself() -> None:
    emulator = RoarkEmulator()
    written(emulator, 1, 2)
    reader = read(Roark())
    position = reader.start(WINDOW)
    for _ in range(3):
        exchanges = [exchanged(emulator, request) for request in reader.requests(position)]
        if position["chats"] is not None and not position["alone"]:
            body = json.loads(exchanges[0].content)
            body["data"].pop()
            exchanges[0] = Exchange(
                exchanges[0].request, status=200, content=json.dumps(body).encode()
            )
        page = reader.page(position, exchanges)
        position = page.next
    assert [item.id for item in page.items] == ["conversation 2"]
    assert position is None


# ── answers that do not add up ──────────────────────────────────────────────────────────────────────────────────


def record(number: int, created: int | None = None) -> dict[str, Any]:
    time = iso(BEGIN + dt.timedelta(seconds=number if created is None else created))
    return {"id": f"r{number}", "createdAt": time, "startTimestamp": time, "endTimestamp": time}


def listed(*numbers: int, **paging: Any) -> dict[str, Any]:
    paging = {"total": len(numbers), "hasMore": False, "nextCursor": None, **paging}
    return {"data": [record(number) for number in numbers], "pagination": paging}


def answered(*bodies: Any) -> Page:
    """What comes of lists whose chats lie outside of the window, so that they follow one another."""
    reader = read(Roark())
    position = reader.start(Window(until=BEGIN - dt.timedelta(days=1)))
    for body in bodies:
        (request,) = reader.requests(position)
        exchange = Exchange(request, status=200, content=json.dumps(body).encode())
        page = reader.page(position, [exchange])
        position = page.next
    return page


def more(*numbers: int, cursor: str | None = "c1") -> dict[str, Any]:
    return listed(*numbers, total=9, hasMore=True, nextCursor=cursor)


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ([{"data": []}], "no pagination.total"),
        ([{"pagination": {"total": 1, "hasMore": False}}], "no data"),
        ([listed(1, total=3)] * 4, "ends after 1, though there are 3"),
        ([more(1, cursor=None)], "gives no nextCursor"),
        ([more()], "page without chats"),
        ([more(1), more(2)], "same nextCursor again"),
        ([more(1), more(1, cursor="c2")], "chat r1 a second time"),
        ([more(2), more(1, cursor="c2")], "not sorted by time"),
        ([listed(1, hasMore=None)], "does not say whether there are more"),
    ],
)
def test_a_list_that_does_not_add_up_is_an_error(bodies, said) -> None:
    with pytest.raises(HistoryIncomplete, match=said):
        answered(*bodies)


def test_an_answer_of_another_shape_names_the_place() -> None:
    with pytest.raises(InputError, match=r"data\[0\]\.id"):
        answered({"data": [{"id": 3}], "pagination": {"total": 1, "hasMore": False}})
    with pytest.raises(InputError, match=r"\[0\], r: has no time"):
        answered({"data": [{"id": "r"}], "pagination": {"total": 1, "hasMore": False}})


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_chats_that_come_while_they_are_read() -> None:
    with RoarkEmulator() as emulator:
        written(emulator, *range(25))

        def change(requests: int) -> None:
            if requests % 5 == 0 and requests < 40:
                written(emulator, 1000 + requests)
            if requests == 20:
                deleted(emulator, "conversation 24")

        emulator.between_requests(change)
        pages = list(history.pages(emulator.exporter(max_items=10), WINDOW))
    ids = [item.id for item in items_of(pages)]
    assert len(ids) == len(set(ids))
    assert {f"conversation {number}" for number in range(24)} <= set(ids)


def test_a_carry_of_what_roark_does_not_give_back_is_said_not_to_fit() -> None:
    vendor = registry.vendor("roark")
    said = {"role": "user", "parts": [{"type": "text", "text": "A"}], "started_at": BEGIN}
    native = Conversation.model_validate(
        {
            "id": "c1",
            "session": "s1",
            "started_at": BEGIN,
            "ended_at": BEGIN + dt.timedelta(seconds=5),
            "metrics": {"score": {"deep": 0.5}},
            "messages": [
                {"id": "m0", "role": "system", "parts": [{"type": "text", "text": "Be kind"}]},
                {"id": "m1", **said},
            ],
            "tool_runs": [
                {
                    "id": "t1",
                    "name": "lookup",
                    "arguments": {"a": 1},
                    "result": [1],
                    "started_at": BEGIN,
                }
            ],
        }
    )
    with RoarkEmulator() as emulator:
        exporter = emulator.exporter(carry=True)
        assert emulator.ask("POST", "/v1/chat", vendor.render(native, exporter).body).status == 201
        [conversation] = items_of(list(history.pages(exporter, WINDOW)))
    assert [message.text for message in conversation.messages] == ["A"]
    [flag] = conversation.flags
    assert flag.startswith("carry: does not fit the payload")
