"""Clients of the SDKs that one generator makes, OpenAI's and Anthropic's: where their calls are seen.

Every call goes through ``client.request``, whichever resource, helper or raw variant it was made with; a retry is a
request more within it. Each request passes ``client._prepare_request``, the hook for a last change, which shows what is
really sent; each answer passes ``client._process_response``. The three, and what copies a client, are replaced on the one
client. Its resources, and the objects that the application is given, stay what they are.

A resource's methods are replaced only to take out what is said of the call for llmtee (`_overrides`). It travels to
``request`` in ``extra_headers``, which every method and helper passes on, and leaves them there.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from llmtee import jsontext, registry
from llmtee.capture import _active, _overrides
from llmtee.capture._call import Call
from llmtee.capture._hosts import provider_at
from llmtee.capture._patches import Method, Patches
from llmtee.capture._responses import ResponseTap
from llmtee.capture._shield import Shield
from llmtee.capture._streams import Gathering, body_of
from llmtee.errors import UsageError
from llmtee.model.snapshot import to_json_value
from llmtee.spec import Capture, Recorder

_KEPT = "_llmtee_capture"
_HOOKS = ("request", "_prepare_request", "_process_response")
_COPIES = ("copy", "with_options")
_CARRIER = "x-llmtee-call"


@dataclass(frozen=True, kw_only=True)
class Stainless:
    """What one SDK of this kind has."""

    package: str
    title: str
    request_id: str
    """The header of a response that has its id."""
    paths: Mapping[str, str]
    """Paths of requests that are calls of a model, to the format of their records."""
    resources: Mapping[str, tuple[str, ...]]
    """Where the resources stand that make these calls, and their methods; those that a version lacks are left out."""
    before: Mapping[str, str] = field(default_factory=dict)
    """Resources that older versions had, by where the newer ones have theirs: looked for where that lacks a method."""

    def capture(self) -> Capture:
        """The capture of this SDK."""
        return Capture(package=self.package, title=self.title, wrap=self._wrap, unwrap=self._unwrap)

    def _wrap(self, client: Any, recorder: Recorder) -> None:
        installed = vars(client).get(_KEPT)
        if installed is None:
            missing = [name for name in _HOOKS if not callable(getattr(client, name, None))]
            if missing:
                raise UsageError(
                    f"{type(client).__qualname__} is no client of {self.title} that llmtee knows: it has no {missing[0]}; "
                    "see docs/capture.md for the versions"
                )
            installed = _Installation(self, client)
            vars(client)[_KEPT] = installed
        installed.add(recorder)

    def _unwrap(self, client: Any, recorder: Recorder | None) -> None:
        installed = vars(client).get(_KEPT)
        if installed is not None and installed.remove(recorder):
            del vars(client)[_KEPT]


class _HttpCall(Call):
    """A call with the HTTP exchange that it is made of."""

    home: Any = None
    """The installation whose client makes it."""
    arguments: Any = None
    """The body as the SDK has it before the request is made; never read to its end, for it may hold iterators."""
    model: Any = None
    response: Any = None

    def sent(self, request: Any) -> None:
        """A request is about to leave; the first one is what the application asked. Its body does not change any more."""
        self.attempts += 1
        if self.request is None:
            self.request = request

    def answered(self, response: Any, retries: Any) -> None:
        """A response came; of several, the last one counts."""
        self.response = response
        self.retries = retries if type(retries) is int else None

    def snapshot(self) -> Any:
        """See `Call.snapshot`."""
        if self.request is None:  # it failed before anything was sent
            return to_json_value(self.arguments)
        content = self.request.content
        self.provider = provider_at(self.request.headers.get("host", ""))
        if self.model and b'"model"' not in content:  # some clouds have it in the address
            return {"model": str(self.model), **jsontext.loads(content)}
        return jsontext.Raw(content) if content.startswith(b"{") else body_of(content)


class _Installation:
    """What is replaced on one client, and for whom."""

    def __init__(self, sdk: Stainless, client: Any) -> None:
        self._sdk = sdk
        self._recorders: tuple[Recorder, ...] = ()
        self._patches = Patches()
        self._is_async = inspect.iscoroutinefunction(type(client).request)
        for name in set(sdk.paths.values()):
            registry.format(name)  # loaded here rather than in the first call
        hooks = (self._arequest, self._aprepare, self._aprocess)
        if not self._is_async:
            hooks = (self._request, self._prepare, self._process)
        for name, hook in zip(_HOOKS, hooks, strict=True):
            self._patches.replace(client, name, hook)
        for name in _COPIES:
            self._patches.replace(client, name, self._copying)
        self._resources = list(_resources(client, sdk))
        for resource, methods in self._resources:
            for name in methods:
                if hasattr(resource, name):
                    self._patches.replace(resource, name, _taking)
        self._forget_raw()

    def add(self, recorder: Recorder) -> None:
        """One more who is told."""
        if not any(one is recorder for one in self._recorders):
            self._recorders += (recorder,)

    def remove(self, recorder: Recorder | None) -> bool:
        """One less, or none; returns whether the client is as it was."""
        self._recorders = tuple(
            one for one in self._recorders if recorder is not None and one is not recorder
        )
        if self._recorders:
            return False
        self._patches.undo()
        self._forget_raw()
        return True

    def _forget_raw(self) -> None:
        """Raw variants bind the methods that there are when they are first touched: next time, those of now."""
        for resource, _ in self._resources:
            for name in ("with_raw_response", "with_streaming_response"):
                vars(resource).pop(name, None)

    # ── the doors: synchronous and asynchronous ─────────────────────────────────────────────────────────────────

    def _request(self, original: Method) -> Method:
        def request(*args: Any, **kwargs: Any) -> Any:
            call = self._begun(args, kwargs)
            if call is None:
                return original(*args, **kwargs)
            mark = _active.enter(call)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                self._failed(call, error)
                raise
            finally:
                _active.leave(mark)
            self._done(call, result)
            return result

        return request

    def _arequest(self, original: Method) -> Method:
        async def request(*args: Any, **kwargs: Any) -> Any:
            call = self._begun(args, kwargs)
            if call is None:
                return await original(*args, **kwargs)
            mark = _active.enter(call)
            try:
                result = await original(*args, **kwargs)
            except BaseException as error:
                self._failed(call, error)
                raise
            finally:
                _active.leave(mark)
            self._done(call, result)
            return result

        return request

    def _prepare(self, original: Method) -> Method:
        def prepare(request: Any) -> None:
            original(request)
            self._sent(request)

        return prepare

    def _aprepare(self, original: Method) -> Method:
        async def prepare(request: Any) -> None:
            await original(request)
            self._sent(request)

        return prepare

    def _process(self, original: Method) -> Method:
        def process(*args: Any, **kwargs: Any) -> Any:
            self._answered(kwargs)
            return original(*args, **kwargs)

        return process

    def _aprocess(self, original: Method) -> Method:
        async def process(*args: Any, **kwargs: Any) -> Any:
            self._answered(kwargs)
            return await original(*args, **kwargs)

        return process

    def _copying(self, original: Method) -> Method:
        def copy(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            with Shield(self._recorders):
                for recorder in self._recorders:
                    self._sdk._wrap(made, recorder)  # noqa: SLF001 - its own class's other half
            return made

        return copy

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────

    def _begun(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _HttpCall | None:
        """The call that begins; ``None`` where the request is none, or somebody further out captures it."""
        call: _HttpCall | None = None
        with Shield(self._recorders):
            options = args[1] if len(args) > 1 else kwargs["options"]
            said = _taken_from(options)
            name = self._sdk.paths.get(options.url.partition("?")[0])
            if name is None or not self._recorders or options.method.lower() != "post":
                return None
            if _active.claimed(self._sdk.package):
                return None
            call = _HttpCall(self._recorders, name, said=said, context=copy_context())
            call.home, call.layer = self, self._sdk.package
            call.arguments = body = options.json_data
            call.model = body.get("model") if isinstance(body, dict) else None
        return call

    def _current(self) -> _HttpCall | None:
        call = _active.current()
        return call if isinstance(call, _HttpCall) and call.home is self else None

    def _sent(self, request: Any) -> None:
        if (call := self._current()) is not None:
            with Shield(self._recorders):
                call.sent(request)

    def _answered(self, kwargs: Mapping[str, Any]) -> None:
        if (call := self._current()) is not None:
            with Shield(self._recorders):
                call.answered(kwargs.get("response"), kwargs.get("retries_taken"))

    def _failed(self, call: _HttpCall, error: BaseException) -> None:
        with Shield(self._recorders):
            response = call.response
            refused = getattr(error, "response", None)
            call.request_id = self._request_id(refused if refused is not None else response)
            answered = response is not None and response.is_closed and response.status_code < 400
            # An answer that the SDK could not make sense of, or a helper found cut short.
            call.finish(body_of(response.content) if answered else None, error)

    def _done(self, call: _HttpCall, result: Any) -> None:
        with Shield(self._recorders):
            response = call.response
            if response is None:  # a middleware of the application's answered by itself
                dump = getattr(result, "model_dump", None)
                given = (
                    result
                    if dump is None
                    else dump(by_alias=True, exclude_unset=True, warnings=False)
                )
                call.finish(to_json_value(given))
                return
            call.request_id = self._request_id(response)
            if response.is_closed:
                content = response.content
                # What the SDK has made an object of is JSON.
                is_json = hasattr(result, "model_fields_set") and content.startswith(b"{")
                call.finish(jsontext.Raw(content) if is_json else body_of(content))
                return
            call.response = None  # what waits for its end must not keep it
            content_type = response.headers.get("content-type", "")
            tap = ResponseTap(Gathering(call), self._recorders, content_type=content_type)
            tap.attach(response, is_async=self._is_async)
            _watch(result, tap, is_async=self._is_async)

    def _request_id(self, response: Any) -> str | None:
        headers = getattr(response, "headers", None)
        return None if headers is None else headers.get(self._sdk.request_id)


def _resources(client: Any, sdk: Stainless) -> Iterator[tuple[Any, tuple[str, ...]]]:
    for path, methods in sdk.resources.items():
        resource = _at(client, path)
        if resource is not None:
            yield resource, methods
        lacks = any(not hasattr(resource, name) for name in methods)
        # Not looked for otherwise: to touch a resource is to import it.
        older = _at(client, sdk.before[path]) if lacks and path in sdk.before else None
        if older is not None:
            yield older, methods


def _at(client: Any, path: str) -> Any:
    found = client
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _taking(original: Method) -> Method:
    def method(*args: Any, **kwargs: Any) -> Any:
        said = _overrides.take(kwargs)
        if said:
            # As text, for some helpers pass headers on as the bytes that they will be.
            carried = {_CARRIER: json.dumps(said)}
            kwargs["extra_headers"] = {**(kwargs.get("extra_headers") or {}), **carried}
        return original(*args, **kwargs)

    return method


def _taken_from(options: Any) -> dict[str, Any]:
    """What was said of the call, taken out of its headers."""
    headers = options.headers
    if not isinstance(headers, Mapping):
        return {}
    carrier = next((name for name in headers if name.lower() == _CARRIER), None)
    if carrier is None:
        return {}
    options.headers = {name: value for name, value in headers.items() if name != carrier}
    found: dict[str, Any] = json.loads(headers[carrier])
    return found


def _watch(stream: Any, tap: ResponseTap, *, is_async: bool) -> None:
    """Sees the exceptions that a stream gives the application, which may not be those of the HTTP library."""
    if "_iterator" in vars(stream):
        watched: Callable[..., Any] = _awatched if is_async else _watched
        stream._iterator = watched(stream._iterator, tap)  # noqa: SLF001
        tap.watched = True


def _watched(items: Iterator[Any], tap: ResponseTap) -> Iterator[Any]:
    try:
        yield from items
    except GeneratorExit:
        raise
    except BaseException as error:
        tap.failed(error)
        raise


async def _awatched(items: AsyncIterator[Any], tap: ResponseTap) -> AsyncIterator[Any]:
    try:
        async for item in items:
            yield item
    except GeneratorExit:
        raise
    except BaseException as error:
        tap.failed(error)
        raise
