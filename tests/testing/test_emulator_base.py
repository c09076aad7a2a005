from __future__ import annotations

import datetime as dt
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from llmtee.errors import UsageError
from llmtee.testing.emulators import Answer, Call, Emulator, Received, Route, _base, faults


class NotesEmulator(Emulator):
    """A vendor that keeps notes."""

    vendor = "notes"
    routes: ClassVar = (
        Route("POST", "/notes", "create"),
        Route("GET", "/notes/{id}", "read", write=False),
        Route("POST", "/people/{person}/notes/{id}", "create"),
    )
    max_bytes = 200

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes: list[Any] = []

    def forget(self) -> None:
        self.notes.clear()

    def create(self, call: Call) -> Answer:
        if error := self.validate("note.json", call.body):
            return self.refuse(422, error)
        self.notes.append({**call.body, **call.params})
        return Answer(201, {"id": len(self.notes)}, {"x-note": "yes"})

    def read(self, call: Call) -> Answer:
        return Answer(200, {"params": dict(call.params), "query": dict(call.query)})

    def partial(self, call: Call) -> Answer:
        self.notes.append(call.body)
        return Answer(500, {"stored": 1})


@pytest.fixture(autouse=True)
def _schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "schemas" / "vendors" / "notes"
    folder.mkdir(parents=True)
    schema = {
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {"text": {"type": "string"}, "lines": {"items": {"type": "string"}}},
    }
    (folder / "note.json").write_text(json.dumps(schema))
    monkeypatch.setattr(_base, "data_dir", lambda kind: tmp_path / kind)


@pytest.fixture
def emulator() -> Iterator[NotesEmulator]:
    with NotesEmulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator: NotesEmulator) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {emulator.key}"}
    with httpx.Client(base_url=emulator.url, headers=headers, timeout=10) as client:
        yield client


NOTE = {"text": "नमस्ते"}


def test_a_request_is_answered_stored_and_recorded(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    answer = client.post("/notes?draft=&who=a%20b", json=NOTE, headers={"X-Trace": "t1"})
    assert (answer.status_code, answer.json(), answer.headers["x-note"]) == (201, {"id": 1}, "yes")
    assert emulator.notes == [NOTE]
    (received,) = emulator.requests
    assert (received.number, received.method, received.path) == (1, "POST", "/notes")
    assert (received.query, received.body) == ({"draft": "", "who": "a b"}, NOTE)
    assert (received.status, received.fault) == (201, None)
    assert received.headers["x-trace"] == "t1"
    assert emulator.key not in repr(received)


def test_names_in_the_path_are_decoded_segment_by_segment(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    answer = client.post("/people/a%2Fb%20%C3%BC/notes/7", json=NOTE)
    assert answer.status_code == 201
    assert emulator.notes == [{**NOTE, "person": "a/b ü", "id": "7"}]
    assert emulator.requests[0].path == "/people/a%2Fb%20%C3%BC/notes/7"


@pytest.mark.parametrize(
    ("target", "content", "key", "status", "message"),
    [
        ("POST /notes", b'{"text": "x"}', "wrong", 401, "missing or invalid API key"),
        ("POST /notes", b'{"text": ', None, 400, "invalid JSON: EOF while parsing"),
        ("POST /notes", b'{"text": 3}', None, 422, "text: 3 is not of type 'string'"),
        ("POST /notes", b'{"txt": ""}', None, 422, "body: "),
        ("POST /notes", b'{"text": "", "lines": ["", 1]}', None, 422, "lines[1]: 1 is not"),
        ("POST /notes", b'{"text": "%s"}' % (b"x" * 200), None, 413, "body of 212 bytes"),
        ("POST /nodes", b"{}", None, 404, "no route POST /nodes"),
        ("POST /notes/", b"{}", None, 404, "no route POST /notes/"),
        ("GET /notes", b"", None, 405, "GET is not allowed for /notes"),
    ],
)
def test_what_is_wrong_is_refused_and_stores_nothing(
    emulator: NotesEmulator,
    client: httpx.Client,
    target: str,
    content: bytes,
    key: str | None,
    status: int,
    message: str,
) -> None:
    headers = {"Authorization": f"Bearer {key or emulator.key}"}
    answer = client.request(*target.split(), content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)
    assert emulator.notes == []
    assert [request.status for request in emulator.requests] == [status]


def test_ask_answers_without_a_server() -> None:
    emulator = NotesEmulator(key="k")
    assert emulator.ask("POST", "/notes", NOTE) == Answer(201, {"id": 1}, {"x-note": "yes"})
    assert emulator.ask("GET", "/notes/a%2Fb?x=1").body == {
        "params": {"id": "a/b"},
        "query": {"x": "1"},
    }
    assert emulator.ask("POST", "/notes", b"{").status == 400
    assert emulator.ask("POST", "/notes", NOTE, headers={}).status == 401
    assert emulator.requests == ()
    with pytest.raises(UsageError, match="before it is started"):
        _ = emulator.url


def test_scripted_faults_hit_writes_in_order_and_then_end(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    emulator.script(faults.status(503), faults.ok(), faults.status(418, body="teapot"))
    assert client.get("/notes/1").status_code == 200
    answers = [client.post("/notes", json=NOTE) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 201, 418, 201]
    assert answers[2].text == "teapot"
    assert len(emulator.notes) == 2
    names = [request.fault for request in emulator.requests]
    assert names == [None, "status 503", "ok", "status 418", None]


def test_always_holds_until_it_is_lifted_and_the_script_goes_first(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    emulator.always(faults.wrong_token())
    emulator.script(faults.ok())
    statuses = [client.post("/notes", json=NOTE).status_code for _ in range(3)]
    emulator.always(None)
    statuses.append(client.post("/notes", json=NOTE).status_code)
    assert statuses == [201, 401, 401, 201]


def test_retry_after_in_seconds_and_as_a_date(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    cairo = dt.datetime(2026, 11, 21, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    emulator.script(
        faults.status(429, retry_after=2),
        faults.status(429, retry_after=0.5),
        faults.status(429, retry_after=cairo),
    )
    waits = [client.post("/notes", json=NOTE).headers["retry-after"] for _ in range(3)]
    assert waits == ["2", "0.5", "Sat, 21 Nov 2026 08:00:00 GMT"]


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_reset_is_a_real_reset(emulator: NotesEmulator, when: Any, stored: int) -> None:
    emulator.script(faults.reset(when))
    body = b'{"text": "x"}'
    head = f"POST /notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {emulator.key}\r\n"
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert len(emulator.notes) == stored
    (received,) = emulator.requests
    assert (received.status, received.fault) == (None, f"reset {when}")
    assert (received.body is None) == (when == "before")


def test_after_a_reset_a_client_can_go_on(emulator: NotesEmulator, client: httpx.Client) -> None:
    emulator.script(faults.reset("before"), faults.reset("after"))
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            client.post("/notes", json=NOTE)
    assert client.post("/notes", json=NOTE).status_code == 201
    assert len(emulator.notes) == 2


@pytest.mark.parametrize(("handled", "stored"), [(False, 0), (True, 1)])
def test_hang_until_the_client_leaves(
    emulator: NotesEmulator, client: httpx.Client, handled: bool, stored: int
) -> None:
    emulator.script(faults.hang(handled=handled))
    with pytest.raises(httpx.ReadTimeout):
        client.post("/notes", json=NOTE, timeout=0.2)
    assert len(emulator.notes) == stored
    assert emulator.requests[0].fault == "hang"
    assert client.post("/notes", json=NOTE).status_code == 201


def test_stop_ends_what_hangs(emulator: NotesEmulator, client: httpx.Client) -> None:
    emulator.script(faults.hang())
    errors: list[Exception] = []

    def post() -> None:
        try:
            client.post("/notes", json=NOTE, timeout=60)
        except httpx.TransportError as error:
            errors.append(error)

    thread = threading.Thread(target=post)
    thread.start()
    assert emulator.wait_for(lambda: len(emulator.requests) == 1, timeout=10)
    emulator.stop()
    thread.join(10)
    assert len(errors) == 1


def test_drip_sends_the_whole_answer(emulator: NotesEmulator, client: httpx.Client) -> None:
    emulator.script(faults.drip(bytes_per_chunk=2, delay=0))
    answer = client.post("/notes", json=NOTE)
    assert (answer.content, answer.headers["content-length"]) == (b'{"id":1}', "8")


def test_drip_sends_it_bit_by_bit_and_a_client_may_leave(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    emulator.script(faults.drip(bytes_per_chunk=2, delay=60))
    with client.stream("POST", "/notes", json=NOTE) as answer:
        assert next(answer.iter_raw()) == b'{"'
    assert client.post("/notes", json=NOTE).status_code == 201


def test_html_instead_of_json(emulator: NotesEmulator, client: httpx.Client) -> None:
    emulator.script(faults.html(), faults.html(502))
    answers = [client.post("/notes", json=NOTE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 502]
    assert answers[0].headers["content-type"].startswith("text/html")
    assert answers[0].text.startswith("<!doctype html>")
    assert emulator.notes == []


def test_partial_is_the_vendors_own(emulator: NotesEmulator, client: httpx.Client) -> None:
    emulator.script(faults.partial())
    answer = client.post("/notes", json=NOTE)
    assert (answer.status_code, answer.json()) == (500, {"stored": 1})
    assert emulator.notes == [NOTE]

    class NoBatches(Emulator):
        vendor = "single"

    for tell in (NoBatches().script, NoBatches().always):
        with pytest.raises(UsageError, match="single has no answer for a partly stored batch"):
            tell(faults.partial())


def test_wait_for_sees_what_another_thread_sends(
    emulator: NotesEmulator, client: httpx.Client
) -> None:
    thread = threading.Thread(target=client.post, args=("/notes",), kwargs={"json": NOTE})
    thread.start()
    assert emulator.wait_for(lambda: len(emulator.notes) == 1, timeout=10)
    assert not emulator.wait_for(lambda: False, timeout=0)
    thread.join()


def test_a_listener_hears_each_request(emulator: NotesEmulator, client: httpx.Client) -> None:
    heard: list[Received] = []
    emulator.on_request = heard.append
    emulator.script(faults.status(503))
    for _ in range(2):
        client.post("/notes", json=NOTE)
    assert tuple(heard) == emulator.requests
    assert [received.status for received in heard] == [503, 201]


def test_many_clients_at_once(emulator: NotesEmulator) -> None:
    def post() -> None:
        headers = {"Authorization": f"Bearer {emulator.key}"}
        for _ in range(5):
            httpx.post(f"{emulator.url}/notes", json=NOTE, headers=headers, trust_env=False)

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [request.number for request in emulator.requests] == list(range(1, 21))
    assert len(emulator.notes) == 20


def test_clear_forgets_everything(emulator: NotesEmulator, client: httpx.Client) -> None:
    client.post("/notes", json=NOTE)
    emulator.script(faults.status(500))
    emulator.always(faults.status(500))
    emulator.clear()
    assert (emulator.requests, emulator.notes) == ((), [])
    assert client.post("/notes", json=NOTE).status_code == 201


def test_stop_leaves_nothing_and_start_comes_back_at_the_same_address() -> None:
    before = set(threading.enumerate())
    emulator = NotesEmulator()
    with emulator:
        port = emulator.port
        headers = {"Authorization": f"Bearer {emulator.key}"}
        client = httpx.Client(base_url=emulator.url, headers=headers)
        client.post("/notes", json=NOTE)
    assert set(threading.enumerate()) == before
    with pytest.raises(httpx.TransportError):
        client.post("/notes", json=NOTE)
    with emulator:
        assert emulator.port == port
        assert client.post("/notes", json=NOTE).status_code == 201
    client.close()
    assert len(emulator.notes) == 2


def test_a_port_that_is_taken(emulator: NotesEmulator) -> None:
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{emulator.port}"):
        NotesEmulator(port=emulator.port).start()


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(UsageError, match=r"pip install \"llmtee\[server\]\""):
        NotesEmulator().start()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: faults.status(429, retry_after=dt.datetime(2026, 1, 1)), "timezone"),  # noqa: DTZ001
        (lambda: faults.reset("during"), "before"),  # type: ignore[arg-type]
        (lambda: faults.drip(0), "at least 1"),
    ],
)
def test_faults_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
