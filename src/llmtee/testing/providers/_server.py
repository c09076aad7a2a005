"""The server: plain HTTP/1.1 on 127.0.0.1, one thread for each connection."""

from __future__ import annotations

import itertools
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from llmtee.testing.providers import _anthropic, _gemini, _openai
from llmtee.testing.providers._answers import Answer

_GEMINI = re.compile(r"/(?P<model>[^/:]+):(?P<method>generateContent|streamGenerateContent)$")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_Events = Iterator[tuple[str | None, Any]]


@dataclass(frozen=True)
class ProviderRequest:
    """One request as it arrived."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


class ProviderServer:
    """Answers from its construction until `close`, each request with the next scripted answer, else with a plain one."""

    def __init__(self) -> None:
        self.requests: list[ProviderRequest] = []
        """What arrived, in order."""
        self._script: deque[Answer] = deque()
        self._numbers = itertools.count(
            100_001
        )  # of one width: an id tells nothing about how many there were before
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        """For Anthropic's and Google's clients; see `openai_url`."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="llmtee-provider", daemon=True
        )
        self._thread.start()

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's clients."""
        return f"{self.url}/v1"

    def script(self, *answers: Answer) -> None:
        """The next requests are answered so, in this order."""
        self._script.extend(answers)

    def close(self) -> None:
        """Ends the server and every connection."""
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def take(self, request: ProviderRequest) -> tuple[Answer, int]:
        """The answer to a request that arrived, and its number."""
        self.requests.append(request)
        try:
            answer = self._script.popleft()
        except IndexError:
            answer = Answer()
        return answer, next(self._numbers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    provider: ProviderServer

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the client was faster
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has left is what some tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = ProviderRequest("POST", self.path, headers, body)
        answer, number = self.server.provider.take(request)
        path = self.path.partition("?")[0]
        if answer.body is not None:
            self._plain(answer, answer.body.encode(), "text/html; charset=utf-8", number)
            return
        whole, events, error, failure = _shapes(path, answer, request.json, number)
        if answer.status >= 400:
            self._plain(answer, json.dumps(error).encode(), "application/json", number)
        elif events is None:
            self._plain(answer, json.dumps(whole).encode(), "application/json", number)
        else:
            self._stream(answer, events, failure, number, done="/chat/completions" in path)

    def _head(self, answer: Answer, content_type: str, number: int) -> None:
        self.send_response(answer.status)
        if "content-type" not in answer.headers:
            self.send_header("content-type", content_type)
        self.send_header("x-request-id", f"req_{number}")
        self.send_header("request-id", f"req_{number}")
        for name, value in answer.headers.items():
            self.send_header(name, value)

    def _plain(self, answer: Answer, content: bytes, content_type: str, number: int) -> None:
        if answer.hold is not None:
            answer.hold.wait()
        self._head(answer, content_type, number)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if answer.cut_after is not None:
            self.wfile.write(content[: len(content) // 2])
            self._cut()
            return
        self.wfile.write(content)

    def _stream(
        self, answer: Answer, events: _Events, failure: Any, number: int, *, done: bool
    ) -> None:
        self._head(answer, "text/event-stream", number)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for i, (name, data) in enumerate(events):
            if i == answer.cut_after:
                self._cut()
                return
            if i == answer.error_after:
                self._event(*failure)
                done = False
                break
            self._event(name, data)
            if i == 0 and answer.hold is not None:
                self.wfile.flush()
                answer.hold.wait()
        if done:
            self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, name: str | None, data: Any) -> None:
        head = "" if name is None else f"event: {name}\n"
        self._chunk(f"{head}data: {json.dumps(data)}\n\n".encode())

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


def _shapes(
    path: str, answer: Answer, request: Any, number: int
) -> tuple[Any, _Events | None, Any, tuple[str | None, Any]]:
    """A whole answer, or its events where the request asks for them; the body of an error; the event of one."""
    streams = bool(request.get("stream"))
    if found := _GEMINI.search(path):
        model = found["model"]
        events = _gemini.events(answer, model, number)
        whole, error = _gemini.content(answer, model, number), _gemini.error(answer)
        streams = found["method"] == "streamGenerateContent"
        return whole, events if streams else None, error, (None, _gemini.failure())
    if path.endswith("/messages"):
        events = _anthropic.events(answer, request, number)
        whole, error = _anthropic.message(answer, request, number), _anthropic.error(answer)
        return whole, events if streams else None, error, _anthropic.failure()
    if path.endswith("/responses"):
        events = _openai.response_events(answer, request, number)
        whole = _openai.response(answer, request, number)
        failed = ("error", {"type": "error", "message": "lost the thread", "code": "broken"})
        return whole, events if streams else None, _openai.error(answer), failed
    events = _openai.chat_events(answer, request, number)
    whole, error = _openai.chat(answer, request, number), _openai.error(answer)
    return whole, events if streams else None, error, (None, _openai.failure())
