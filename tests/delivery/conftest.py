"""Acme, a scripted vendor behind a real HTTP server, in three kinds: events in batches, upserts, finished chats."""

from __future__ import annotations

import gzip
import importlib.util
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import SecretStr

from llmtee import jsontext, registry
from llmtee.errors import ConfigError
from llmtee.model import Choice, Conversation, Item, Message, ModelCall, Step, TextPart
from llmtee.spec import (
    Capabilities,
    Delivered,
    Env,
    Exchange,
    ExporterSettings,
    Limits,
    Rejected,
    Request,
    Retry,
    RetryPolicy,
    State,
    TooLarge,
    Unauthorised,
    Unknown,
    Vendor,
    Verdict,
    WireItem,
    judge_plainly,
)
from llmtee.tee import Tee, Tuning
from llmtee.testing.emulators import emulator_class

KEY = "acme-secret-key"
FAST = RetryPolicy(initial=0.002, jitter=0.002, maximum=0.02, attempts=4)


class Acme(ExporterSettings):
    vendor: ClassVar[str] = "acme"
    api_key: Annotated[SecretStr | None, Env("ACME_API_KEY")] = None
    base_url: Annotated[str, Env("ACME_BASE_URL")] = "https://acme.invalid"
    idempotent: bool = True
    needs_ticket: bool = False


class AcmeUpserts(Acme):
    vendor: ClassVar[str] = "acme-upserts"


class AcmeChats(Acme):
    vendor: ClassVar[str] = "acme-chats"


def _auth(settings: Acme) -> dict[str, str]:
    if settings.api_key is None:
        raise ConfigError("no key")
    return {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}


def _render(item: Item, settings: Acme) -> WireItem:
    if isinstance(item, Conversation):
        texts = [message.text for message in item.messages]
        return WireItem(item.id, {"id": item.id, "texts": texts}, item.session)
    if isinstance(item, Step):
        if item.name == "bug":
            raise ZeroDivisionError("a planted bug")
        return WireItem(item.id, None, item.session, skip="Acme has no steps")
    body = {"id": item.id, "text": item.name}
    return WireItem(item.id, body, item.session)


def _pack(items: Sequence[WireItem], settings: Acme, state: State) -> list[Request]:
    size = settings.max_items or 3
    groups = [tuple(items[start : start + size]) for start in range(0, len(items), size)]
    return [
        Request("POST", "/items", {"items": [item.body for item in group], **state}, group)
        for group in groups
    ]


_WORDS: dict[str, Callable[[], Verdict]] = {
    "delivered": Delivered,
    "retry": lambda: Retry("busy"),
    "rejected": lambda: Rejected("no"),
    "too large": lambda: TooLarge("big"),
    "unauthorised": lambda: Unauthorised("who"),
    "unknown": lambda: Unknown("perhaps"),
    "refresh": lambda: Retry("stale", refresh=True),
}


def _judge(exchange: Exchange, settings: Acme) -> list[Verdict]:
    if exchange.status == 200 and exchange.json is None:
        raise TypeError("a planted bug in judge")
    plain = judge_plainly(exchange, repeatable=settings.idempotent)
    if plain is not None:
        return [plain] * len(exchange.request.items)
    return [_WORDS[word]() for word in exchange.json["verdicts"]]


def _shrink(item: WireItem, limit: int, settings: Acme) -> WireItem | None:
    text = item.body.get("text") or ""
    keep = len(text) - (item.size - limit)
    return None if keep < 1 else replace(item, body={**item.body, "text": text[:keep]})


def _prepare(settings: Acme, state: State) -> Request | None:
    return Request("PUT", "/ticket") if settings.needs_ticket else None


def _prepared(exchange: Exchange, settings: Acme, state: State) -> State | Verdict:
    plain = judge_plainly(exchange, repeatable=True)
    return {"ticket": exchange.json["ticket"]} if plain is None else plain


def _vendor(settings: type[Acme], **changes: Any) -> Vendor[Any]:
    plain: dict[str, Any] = {
        "name": settings.vendor,
        "title": "Acme",
        "settings": settings,
        "grain": "event",
        "semantics": "append",
        "limits": Limits(items=3, bytes=2000, concurrency=2),
        "capabilities": lambda own: Capabilities(
            past_times=True,
            idempotent_by="id" if own.idempotent else None,
            partial_answers=True,
            reads_back=False,
        ),
        "retry": FAST,
        "auth": _auth,
        "render": _render,
        "pack": _pack,
        "judge": _judge,
        "parse": lambda payload: [],
        "shrink": _shrink,
        "prepare": _prepare,
        "prepared": _prepared,
    }
    return Vendor(**{**plain, **changes})


VENDORS = {
    "acme": _vendor(Acme),
    "acme-upserts": _vendor(
        AcmeUpserts,
        grain="conversation",
        semantics="upsert",
        limits=Limits(items=1, bytes=100_000),
        quiet=60.0,
        patience=300.0,
    ),
    "acme-chats": _vendor(
        AcmeChats,
        grain="conversation",
        send_when="ended",
        limits=Limits(items=1, bytes=100_000),
        quiet=600.0,
    ),
}


@pytest.fixture(autouse=True)
def _acme_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.vendor
    monkeypatch.setattr(
        registry, "vendor", lambda name: VENDORS[name] if name in VENDORS else real(name)
    )


@dataclass
class Answer:
    """One scripted answer. ``words`` are verdicts by position; ``cut``: the connection ends instead."""

    status: int = 200
    words: tuple[str, ...] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    cut: bool = False
    wait_for: threading.Event | None = None


class AcmeServer:
    """Keeps what arrived, and answers as scripted, else well."""

    def __init__(self) -> None:
        self.script: deque[Answer] = deque()
        self.key = KEY
        self.requests: list[dict[str, Any]] = []
        self.stored: list[dict[str, Any]] = []
        self.tickets = 0
        self.lock = threading.Condition()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                owner.answer(self)

            do_PUT = do_POST  # noqa: N815 - http.server's name

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        if handler.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        body = jsontext.loads(content) if content else None
        with self.lock:
            answer = self._answer(handler, body)
            self.requests.append(
                {
                    "method": handler.command,
                    "path": handler.path,
                    "body": body,
                    "status": None if answer.cut else answer.status,
                    "headers": {k.lower(): v for k, v in handler.headers.items()},
                }
            )
            self.lock.notify_all()
        if answer.wait_for is not None:
            answer.wait_for.wait(30)
        if answer.cut:
            handler.close_connection = True
            return
        with suppress(BrokenPipeError, ConnectionResetError):  # the client gave up waiting
            self._send(handler, answer)

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(answer.content or b"")))
        handler.end_headers()
        handler.wfile.write(answer.content or b"")

    def _answer(self, handler: BaseHTTPRequestHandler, body: Any) -> Answer:
        if handler.headers.get("authorization") != f"Bearer {self.key}":
            text = f'{{"error": "bad key {handler.headers.get("authorization")}"}}'
            return Answer(401, content=text.encode())
        if handler.path == "/ticket":
            self.tickets += 1
            return Answer(content=jsontext.dumps({"ticket": self.tickets}))
        answer = self.script.popleft() if self.script else Answer()
        if answer.status != 200 or answer.content is not None:
            return answer
        words = answer.words or ("delivered",) * len(body["items"])
        for item, word in zip(body["items"], words, strict=True):
            if word in ("delivered", "unknown"):
                self.stored.append(item)
        return replace(answer, content=jsontext.dumps({"verdicts": words}))

    def stored_ids(self) -> list[str]:
        return [item["id"] for item in self.stored]

    def wait_for(self, predicate: Callable[[], bool]) -> None:
        with self.lock:
            assert self.lock.wait_for(predicate, 30)


@pytest.fixture
def acme() -> Iterator[AcmeServer]:
    server = AcmeServer()
    yield server
    server.stop()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tees() -> Iterator[list[Tee]]:
    opened: list[Tee] = []
    yield opened
    for tee in opened:
        tee.close(0.4)


@pytest.fixture
def make_tee(tees: list[Tee], tmp_path: Path) -> Callable[..., Tee]:
    """Opens a Tee on a fresh directory, or the test's own; it is closed after the test."""

    def make(*exporters: ExporterSettings, clock: Clock | None = None, **options: Any) -> Tee:
        tuning = options.pop("tuning", None) or Tuning(probe_initial=30.0)
        if clock is not None:
            tuning = replace(tuning, clock=clock)
        tee = Tee(exporters, **{"dir": tmp_path / "log", "tuning": tuning, **options})
        tees.append(tee)
        return tee

    return make


@pytest.fixture
def exporter(acme: AcmeServer) -> Callable[..., Acme]:
    def make(kind: type[Acme] = Acme, **settings: Any) -> Acme:
        return kind(**{"api_key": KEY, "base_url": acme.url, **settings})

    return make


@pytest.fixture
def upserts(exporter: Callable[..., Acme]) -> Callable[..., Acme]:
    return lambda **settings: exporter(AcmeUpserts, **settings)


@pytest.fixture
def chats(exporter: Callable[..., Acme]) -> Callable[..., Acme]:
    return lambda **settings: exporter(AcmeChats, **settings)


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


def _call(name: str = "call", session: str | None = None, *texts: str) -> ModelCall:
    """A model call; with texts: the user's and the assistant's in turn, the last one the answer."""
    messages = [
        Message(role="user" if place % 2 == 0 else "assistant", parts=(TextPart(text=text),))
        for place, text in enumerate(texts or ("hi", "hello"))
    ]
    return ModelCall(
        name=name,
        session=session,
        input=tuple(messages[:-1]),
        choices=(Choice(message=messages[-1]),),
    )


@pytest.fixture
def call() -> Callable[..., ModelCall]:
    return _call


# ── emulated vendors ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def vendors() -> Iterator[dict[str, Any]]:
    """All four, by name. Those that share them clear them first."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(emulator_class(name)())
            for name in ("voker", "honeyhive", "inkeep", "roark")
        }


@pytest.fixture(scope="session")
def shown() -> Callable[..., dict[str, Counter[str]]]:
    """How often each of the emulated vendors shows each question; see the module ``shown``."""
    return _load("shown").shown  # type: ignore[no-any-return]


# ── simulated time ──────────────────────────────────────────────────────────────────────────────────────────────────


def _load(name: str) -> Any:
    """A module beside this one: tests are not a package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_simulation = _load("simulation")


@pytest.fixture(scope="session")
def killed() -> Any:
    """The module ``killed``, which the processes to be killed run."""
    return _load("killed")


@pytest.fixture
def simulation() -> Any:
    """The module ``simulation``."""
    return _simulation


def _member(kind: type[Acme] = Acme, **settings: Any) -> tuple[Vendor[Any], Acme]:
    options = {"api_key": KEY, "name": kind.vendor, **settings}
    return VENDORS[kind.vendor], kind(**options)


@pytest.fixture
def member() -> Callable[..., tuple[Vendor[Any], Acme]]:
    """An exporter for a simulated world: ``member("acme", rate=2)``."""
    kinds = {kind.vendor: kind for kind in (Acme, AcmeUpserts, AcmeChats)}
    return lambda vendor="acme", **settings: _member(kinds[vendor], **settings)


@pytest.fixture
def world(member: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    opened: list[Any] = []

    def make(*members: Any, **tuning: Any) -> Any:
        plain = {"retry": _simulation.SLOW}
        opened.append(_simulation.World(*(members or (member(),)), **{**plain, **tuning}))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
