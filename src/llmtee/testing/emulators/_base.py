"""The base of all vendor emulators: routing, authentication, limits, faults, and a record of what arrived."""

from __future__ import annotations

import gzip
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl

from llmtee import jsontext, registry
from llmtee._data_files import data_dir
from llmtee.errors import UsageError
from llmtee.spec import ExporterSettings
from llmtee.testing.emulators import faults
from llmtee.testing.emulators._exchange import Answer, Call, Received, Route
from llmtee.testing.emulators._server import Server

__all__ = ["Answer", "Call", "Emulator", "Received", "Route"]


class Emulator:
    """A strict local stand-in for one vendor: a context manager around a real HTTP server on 127.0.0.1.

        with InkeepEmulator() as emulator:
            tee = Tee([emulator.exporter()])
            …
            assert emulator.requests[0].status == 200

    A subclass is a small synchronous state machine that knows nothing of HTTP: it declares `vendor` and `routes`, and
    has a method for each route that takes a `Call` and gives an `Answer`. Handlers run one at a time, under `lock`.
    `ask` runs one without a server. Serving needs the extra ``server``.

    Args:
        port: where to listen; 0 takes a free port. It stays the same when the emulator is started again.
        key: the only key that is accepted.
    """

    vendor: ClassVar[str]
    """The name under which the vendor is registered."""
    routes: ClassVar[tuple[Route, ...]] = ()
    """Tried in order."""
    reads_gzip: ClassVar[bool] = False
    """Whether the vendor says that it reads compressed bodies."""
    max_bytes: int = 10_000_000
    """Larger bodies are answered 413."""

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        self.key = key or f"{self.vendor}-emulator-key"
        self.port = port
        self.lock = threading.RLock()
        """Held while a handler runs."""
        self.on_request: Callable[[Received], None] | None = None
        """Called with each request after it was recorded, in the server's thread."""
        self._between: Callable[[int], object] | None = None
        self._changed = threading.Condition(self.lock)
        self._requests: list[Received] = []
        self._script: deque[faults.Fault] = deque()
        self._read_script: deque[faults.Fault] = deque()
        self._always: faults.Fault | None = None
        self._server: Server | None = None

    # ── for tests ───────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> Self:
        """Starts the server; returns when it listens.

        Raises:
            UsageError: the port is taken, or the extra ``server`` is not installed.
        """
        if self._server is None:
            self._server = Server(self, self.port)
            self.port = self._server.port
        return self

    def stop(self) -> None:
        """Stops the server and closes every connection. What arrived can still be looked at."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address to use as ``base_url``, without a trailing slash."""
        if not self.port:
            raise UsageError("the emulator has no address before it is started: use it in a `with`")
        return f"http://127.0.0.1:{self.port}"

    def exporter(self, **settings: Any) -> Any:
        """The vendor's settings pointed at this emulator, as ``Tee`` takes them.

        Args:
            settings: more of the vendor's settings; ``api_key`` and ``base_url`` may be replaced too.
        """
        kind: type[ExporterSettings] = registry.vendor(self.vendor).settings
        return kind.model_validate({"api_key": self.key, "base_url": self.url, **settings})

    @property
    def requests(self) -> tuple[Received, ...]:
        """What arrived so far, in order."""
        with self.lock:
            return tuple(self._requests)

    def script(self, *sequence: faults.Fault, reads: bool = False) -> None:
        """The next writes meet these faults, one each, in this order; then all is normal again.

        Adds to what is scripted already.

        Args:
            sequence: from `faults`.
            reads: whether the next reads meet them instead; a script for writes hits none.

        Raises:
            UsageError: `faults.partial` for a vendor that has no such answer.
        """
        for fault in sequence:
            self._must_know(fault)
        with self.lock:
            (self._read_script if reads else self._script).extend(sequence)

    def always(self, fault: faults.Fault | None) -> None:
        """Every write that finds the script empty meets this fault; ``None`` ends it."""
        if fault is not None:
            self._must_know(fault)
        with self.lock:
            self._always = fault

    def between_requests(self, change: Callable[[int], object] | None) -> None:
        """Lets the vendor's data change while it is read: ``change`` is called between one request and the next.

        It runs before each request but the first is acted upon, with the count of those before it, one at a time and
        under `lock`; it may use `ask`, or reach for what the emulator stores. ``None`` ends it. What is counted are
        the requests since the emulator was made or cleared.
        """
        with self.lock:
            self._between = change

    def clear(self) -> None:
        """Forgets what arrived, what was stored, and all scripted faults."""
        with self.lock:
            self._requests.clear()
            self._script.clear()
            self._read_script.clear()
            self._always = self._between = None
            self.forget()

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Waits until ``predicate()`` is true; it is tried after every request that arrived.

        Args:
            predicate: looks at the emulator, such as ``lambda: len(emulator.requests) == 2``.
            timeout: seconds.

        Returns:
            Whether it became true in time.
        """
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a request, without HTTP, without faults, and without a trace in `requests`.

        Args:
            method: such as ``POST``.
            path: percent-encoded, with the query if there is one.
            body: JSON; ``bytes`` are taken as they are.
            headers: with lower-case names; `credentials` by default.
        """
        path, _, query = path.partition("?")
        if headers is None:
            headers = self.credentials()
        call = Call(method, path, {}, dict(parse_qsl(query, keep_blank_values=True)), headers)
        if not isinstance(body, bytes):
            body = b"" if body is None else jsontext.dumps(body)
        return self._answer(call, body)

    # ── for subclasses ──────────────────────────────────────────────────────────────────────────────────────────

    def forget(self) -> None:
        """Empties what the vendor has stored. Override it; `clear` calls it."""

    def refuse(self, status: int, message: str) -> Answer:
        """What the base itself refuses (400, 401, 404, 405, 413, scripted faults), in the vendor's error shape."""
        return Answer(status, {"error": {"message": message}})

    def unauthorised(self) -> Answer:
        """The answer to a missing or wrong key."""
        return self.refuse(401, "missing or invalid API key")

    def credentials(self) -> Mapping[str, str]:
        """The headers (lower-case names) that `authorised` accepts: ``Authorization: Bearer KEY``."""
        return {"authorization": f"Bearer {self.key}"}

    def authorised(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers (lower-case names) hold the right key."""
        return headers.get("authorization") == f"Bearer {self.key}"

    def partial(self, call: Call) -> Answer:  # noqa: ARG002 - for those who override it
        """Stores a part of a batch and says so. Override it where the vendor has such an answer.

        Raises:
            UsageError: the vendor has none.
        """
        raise UsageError(f"{self.vendor} has no answer for a partly stored batch")

    def validate(self, schema_file: str, body: Any) -> str | None:
        """What is wrong with ``body``, as ``path: message``; ``None`` when it is right.

        Args:
            schema_file: name of a JSON Schema (draft 2020-12) in ``schemas/vendors/<vendor>/``.
            body: JSON.
        """
        validator = self._validator(schema_file)
        from jsonschema.exceptions import best_match  # noqa: PLC0415 - of the extra `server`

        error = best_match(validator.iter_errors(body))
        if error is None:
            return None
        place = error.json_path.removeprefix("$").removeprefix(".") or "body"
        message = error.message
        return (
            f"{place}: {message if len(message) <= 300 else message[:150] + ' … ' + message[-150:]}"
        )

    # ── the way of a request ────────────────────────────────────────────────────────────────────────────────────

    def _must_know(self, fault: faults.Fault) -> None:
        if isinstance(fault, faults.Partial) and type(self).partial is Emulator.partial:
            self.partial(Call("POST", "/"))  # says that there is no such answer

    def _route(self, call: Call) -> tuple[Route, dict[str, str]] | Answer:
        others = []
        for route in self.routes:
            params = route.match(call.path)
            if params is None:
                continue
            if route.method == call.method:
                return route, params
            others.append(route.method)
        if others:
            refusal = self.refuse(405, f"{call.method} is not allowed for {call.path}")
            return replace(refusal, headers={**refusal.headers, "allow": ", ".join(others)})
        return self.refuse(404, f"no route {call.method} {call.path}")

    def _answer(
        self, call: Call, content: bytes, handler: Callable[[Call], Answer] | None = None
    ) -> Answer:
        found = self._route(call)
        if isinstance(found, Answer):
            return found
        if len(content) > self.max_bytes:
            return self.refuse(413, f"body of {len(content)} bytes; at most {self.max_bytes}")
        if not self.authorised(call.headers):
            return self.unauthorised()
        try:
            body = jsontext.loads(content) if content else None
        except ValueError as error:
            return self.refuse(400, f"invalid JSON: {error}")
        route, params = found
        handler = handler or getattr(self, route.handler)
        with self.lock:
            return handler(replace(call, params=params, body=body, size=len(content)))

    def _take_fault(self, call: Call) -> faults.Fault | None:
        found = self._route(call)
        if isinstance(found, Answer):
            return None
        with self.lock:
            if not found[0].write:
                return self._read_script.popleft() if self._read_script else None
            return self._script.popleft() if self._script else self._always

    def _react(self, call: Call, content: bytes, fault: faults.Fault | None) -> Answer | None:
        """The answer under a fault, after acting on the request where the fault does; ``None``: none is to be sent."""
        match fault:
            case faults.Status():
                answer = self.refuse(fault.code, f"scripted answer {fault.code}")
                body = answer.body if fault.body is None else fault.body
                answer = Answer(fault.code, body, {**answer.headers, **fault.headers})
            case faults.Html():
                page = "<!doctype html><title>Not the API</title><p>Nothing to see here.</p>\n"
                answer = Answer(fault.status, page, {"content-type": "text/html; charset=utf-8"})
            case faults.WrongToken():
                answer = self.unauthorised()
            case faults.Partial():
                answer = self._answer(call, content, self.partial)
            case faults.Reset(when="before") | faults.Hang(handled=False):
                return None
            case faults.Reset() | faults.Hang():
                self._answer(call, content)
                return None
            case _:
                answer = self._answer(call, content)
        return answer

    def _process(self, call: Call, content: bytes, fault: faults.Fault | None) -> Answer | None:
        """Reacts to a request and records it. What ``wait_for`` sees is complete: stored and recorded in one step."""
        if self.reads_gzip and call.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        with self._changed:
            if self._between is not None and self._requests:
                self._between(len(self._requests))
            answer = self._react(call, content, fault)
            received = Received(
                number=len(self._requests) + 1,
                method=call.method,
                path=call.path,
                query=call.query,
                headers={k: v for k, v in call.headers.items() if k != "authorization"},
                body=_readable(content),
                status=None if answer is None else answer.status,
                fault=None if fault is None else fault.name,
            )
            self._requests.append(received)
            self._changed.notify_all()
        if self.on_request is not None:
            self.on_request(received)
        return answer

    @cached_property
    def _validators(self) -> dict[str, Any]:
        return {}

    def _validator(self, schema_file: str) -> Any:
        if schema_file not in self._validators:
            try:
                from jsonschema import Draft202012Validator  # noqa: PLC0415
            except ImportError as error:
                raise UsageError('emulators need: pip install "llmtee[server]"') from error
            path = data_dir("schemas") / "vendors" / self.vendor / schema_file
            schema = json.loads(path.read_text("utf-8"))
            Draft202012Validator.check_schema(schema)
            checker = Draft202012Validator.FORMAT_CHECKER
            self._validators[schema_file] = Draft202012Validator(schema, format_checker=checker)
        return self._validators[schema_file]


def _readable(content: bytes) -> Any:
    if not content:
        return None
    try:
        return jsontext.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
