"""Google's client: where its calls are seen.

Every request goes through the ``request`` methods of ``client._api_client``, whoever makes it: ``models``, ``aio.models``, a
chat, or the loop that calls functions by itself, of which each round is a call of the model. ``_build_request`` shows
what is really sent. These are replaced on the one client. The public methods are replaced to know which call a request
belongs to (`_origin`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import lru_cache
from typing import Any

from llmtee import jsontext, registry
from llmtee.capture import _active, _installation
from llmtee.capture._call import Call
from llmtee.capture._hosts import provider_at
from llmtee.capture._installation import Installation
from llmtee.capture._patches import Method
from llmtee.capture._shield import Shield, tell
from llmtee.capture._streams import Gathering, body_of
from llmtee.capture.gemini import _chats, _origin
from llmtee.errors import UsageError
from llmtee.model.snapshot import clean_text, to_json_value
from llmtee.spec import Recorder

_FORMAT = "gemini"
_LAYER = "google.genai"
_PATH = re.compile(r"^(?P<model>.+):(?:stream)?[gG]enerateContent(?:\?|$)")
_DOORS = ("request", "request_streamed", "async_request", "async_request_streamed")
_ATTEMPTS = ("_request_once", "_async_request_once")
_METHODS = ("generate_content", "generate_content_stream")
_REQUEST_IDS = ("x-goog-request-id", "x-request-id")


def wrap(client: Any, recorder: Recorder) -> None:
    """See `llmtee.spec.Capture.wrap`."""
    _installation.add(client, recorder, lambda: _Client(client))


class _ApiCall(Call):
    home: Any = None
    """The installation whose client makes it."""
    model = ""
    body: Any = None
    """What is sent, as JSON text where it is plain JSON."""

    def snapshot(self) -> Any:
        """See `Call.snapshot`. The model stands in the address of the request."""
        body = self.body
        if isinstance(body, bytes) and body.startswith(b'{"'):
            return jsontext.Raw(b'{"model":%b,%b' % (_as_json(self.model), body[1:]))
        return {"model": self.model, **(body if isinstance(body, dict) else {})}


class _Client(Installation):
    """What is replaced on one client."""

    def __init__(self, client: Any) -> None:
        api = getattr(client, "_api_client", None)
        if any(not callable(getattr(api, name, None)) for name in (*_DOORS, "_build_request")):
            raise UsageError(
                f"{type(client).__qualname__} is no client of Google's that llmtee knows, such as genai.Client(); "
                "see docs/capture.md for the versions"
            )
        super().__init__()
        registry.format(_FORMAT)  # loaded here rather than in the first call
        self._is_vertex = bool(getattr(api, "vertexai", False))
        doors = (self.door, self._streamed, self.async_door, self.async_door)
        for name, door in zip(_DOORS, doors, strict=True):
            self.patches.replace(api, name, door)
        self.patches.replace(api, "_build_request", self._building)
        for name, attempt in zip(_ATTEMPTS, (self._attempt, self._aattempt), strict=True):
            if hasattr(api, name):
                self.patches.replace(api, name, attempt)
        for models in (client.models, client.aio.models):
            for name in _METHODS:
                self.patches.replace(models, name, _origin.marked)
        _chats.watch(client.chats, client.aio.chats)

    def undone(self) -> None:
        _chats.forget()

    # ── the doors that the SDKs do not share ────────────────────────────────────────────────────────────────────

    def _streamed(self, original: Method) -> Method:
        def request(*args: Any, **kwargs: Any) -> Any:
            chunks = original(*args, **kwargs)
            call = self.begun(args, kwargs)
            return chunks if call is None else _tapped(call, chunks)

        return request

    def _building(self, original: Method) -> Method:
        def build(*args: Any, **kwargs: Any) -> Any:
            built = original(*args, **kwargs)
            call = self._current()
            if call is not None:
                try:
                    self._sent(call, built)
                except Exception as error:  # noqa: BLE001 - told, see `tell`
                    tell(self.recorders, error)
            return built

        return build

    def _attempt(self, original: Method) -> Method:
        def attempt(*args: Any, **kwargs: Any) -> Any:
            self._counted()
            return original(*args, **kwargs)

        return attempt

    def _aattempt(self, original: Method) -> Method:
        async def attempt(*args: Any, **kwargs: Any) -> Any:
            self._counted()
            return await original(*args, **kwargs)

        return attempt

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────

    def begun(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        try:
            path = str(args[1] if len(args) > 1 else kwargs.get("path", ""))
            model = _model_at(path)
            if model is None or not self.recorders:
                return None
            outer = _active.current()
            if outer is not None and _active.left_to(outer, _LAYER):
                return None
            origin = _origin.current()
            call = _ApiCall(self.recorders, _FORMAT, said=origin.said, context=origin.context)
            call.home, call.layer = self, _LAYER
            call.provider = "gcp.vertex_ai" if self._is_vertex else None
            call.model = model
        except Exception as error:  # noqa: BLE001 - told, see `tell`
            tell(self.recorders, error)
            return None
        return call

    def _current(self) -> _ApiCall | None:
        call = _active.current()
        return call if isinstance(call, _ApiCall) and call.home is self else None

    def _counted(self) -> None:
        if (call := self._current()) is not None:
            call.attempts += 1

    def _sent(self, call: _ApiCall, built: Any) -> None:
        call.provider = call.provider or _provider(str(built.url))
        body = getattr(built, "data", None)
        try:
            call.body = jsontext.dumps(body)
        except (TypeError, ValueError):
            call.body = to_json_value(body)

    def failed(self, call: Any, error: BaseException) -> None:
        call.finish(None, error)

    def done(self, call: Any, result: Any) -> Any:
        if hasattr(result, "__anext__"):
            return _atapped(call, result)
        try:
            call.request_id = _request_id(result)
            call.finish(body_of(_body(result)))
        except Exception as error:  # noqa: BLE001 - told, see `tell`
            tell(self.recorders, error)
        return result


def _tapped(call: Call, chunks: Any) -> Iterator[Any]:
    gathering = Gathering(call)
    try:
        while True:
            mark = _active.enter(call)
            try:
                chunk = next(chunks)
            except StopIteration:
                break
            finally:
                _active.leave(mark)
            with Shield(call.recorders):
                gathering.add(_body(chunk))
            yield chunk
    except GeneratorExit:
        chunks.close()
        gathering.finish()
        raise
    except BaseException as error:
        gathering.finish(error)
        raise
    gathering.exhausted()


async def _atapped(call: Call, chunks: Any) -> AsyncIterator[Any]:
    gathering = Gathering(call)
    try:
        async for chunk in chunks:
            with Shield(call.recorders):
                gathering.add(_body(chunk))
            yield chunk
    except GeneratorExit:
        gathering.finish()
        await chunks.aclose()
        raise
    except BaseException as error:
        gathering.finish(error)
        raise
    gathering.exhausted()


_as_json = lru_cache(jsontext.dumps)


@lru_cache
def _provider(url: str) -> str | None:
    return provider_at(url.split("/", 3)[2]) if "://" in url else None


@lru_cache
def _model_at(path: str) -> str | None:
    """The model that a request is for, as one names it; ``None`` where it is no call of a model.

    In the path it is ``models/gemini-x``, or Vertex AI's long form of that.
    """
    found = _PATH.match(path)
    if found is None:
        return None
    return found["model"].rpartition("models/")[2] or found["model"]


def _body(answer: Any) -> bytes:
    """The JSON of an answer: the first versions give its value, later ones an object with the body's text."""
    body = getattr(answer, "body", None)
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError:
            return clean_text(body).encode()
    return jsontext.dumps(to_json_value(answer))


def _request_id(answer: Any) -> str | None:
    headers = getattr(answer, "headers", None)
    if not isinstance(headers, dict):
        return None
    for name in headers:
        if name.lower() in _REQUEST_IDS:
            return str(headers[name])
    return None
