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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from llmtee import jsontext, registry
from llmtee.capture import _active, _installation, _overrides
from llmtee.capture._call import Call
from llmtee.capture._hosts import provider_at
from llmtee.capture._installation import Installation
from llmtee.capture._patches import Method
from llmtee.capture._responses import ResponseTap, watch
from llmtee.capture._shield import Shield, tell
from llmtee.capture._streams import Gathering, body_of
from llmtee.errors import UsageError
from llmtee.model.snapshot import to_json_value
from llmtee.spec import Capture, Recorder

_HOOKS = ("request", "_prepare_request", "_process_response")
_COPIES = ("copy", "with_options")


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
        return Capture(
            package=self.package, title=self.title, wrap=self._wrap, unwrap=_installation.remove
        )

    def _wrap(self, client: Any, recorder: Recorder) -> None:
        # The newest OpenAI SDK looks for the HTTP library that delivery uses in each call, and breaks when it finds it half
        # imported by another thread. So delivery does not get to import it first.
        import_module("llmtee.delivery.http")
        _installation.add(client, recorder, lambda: _Client(self, client))


class _HttpCall(Call):
    """A call with the HTTP exchange that it is made of."""

    home: Any = None
    """The installation whose client makes it."""
    arguments: Any = None
    """The body as the SDK has it before the request is made; never read to its end, for it may hold iterators."""
    response: Any = None

    def snapshot(self) -> Any:
        """See `Call.snapshot`."""
        if self.request is None:  # it failed before anything was sent
            return to_json_value(self.arguments)
        content = self.request.content
        if b'"model"' not in content and isinstance(self.arguments, dict):
            model = self.arguments.get("model")  # some clouds have it in the address
            return {**({"model": str(model)} if model else {}), **jsontext.loads(content)}
        return jsontext.Raw(content) if content.startswith(b"{") else body_of(content)


class _Client(Installation):
    """What is replaced on one client."""

    def __init__(self, sdk: Stainless, client: Any) -> None:
        missing = [name for name in _HOOKS if not callable(getattr(client, name, None))]
        if missing:
            raise UsageError(
                f"{type(client).__qualname__} is no client of {sdk.title} that llmtee knows: it has no {missing[0]}; "
                "see docs/capture.md for the versions"
            )
        super().__init__()
        self._sdk, self._client = sdk, client
        self._base: Any = None
        self._provider: str | None = None
        self._is_async = inspect.iscoroutinefunction(type(client).request)
        for name in set(sdk.paths.values()):
            registry.format(name)  # loaded here rather than in the first call
        hooks = (self.door, self._prepare, self._process)
        if self._is_async:
            hooks = (self.async_door, self._aprepare, self._aprocess)
        for name, hook in zip(_HOOKS, hooks, strict=True):
            self.patches.replace(client, name, hook)
        for name in _COPIES:
            self.patches.replace(client, name, self._copying)
        self._resources = list(_resources(client, sdk))
        for resource, methods in self._resources:
            for name in methods:
                if hasattr(resource, name):
                    self.patches.replace(resource, name, _overrides.carrying)
        self._forget_raw()

    def undone(self) -> None:
        self._forget_raw()

    def _forget_raw(self) -> None:
        """Raw variants bind the methods that there are when they are first touched: next time, those of now."""
        for resource, _ in self._resources:
            for name in ("with_raw_response", "with_streaming_response"):
                vars(resource).pop(name, None)

    # ── the hooks: synchronous and asynchronous ─────────────────────────────────────────────────────────────────

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
            with Shield(self.recorders):
                for recorder in self.recorders:
                    self._sdk._wrap(made, recorder)  # noqa: SLF001 - its own class's other half
            return made

        return copy

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────

    def begun(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        try:
            options = args[1] if len(args) > 1 else kwargs["options"]
            said = _overrides.carried(options) if options.headers else {}
            url = options.url
            name = self._sdk.paths.get(url if "?" not in url else url.partition("?")[0])
            if name is None or not self.recorders or options.method.lower() != "post":
                return None
            outer = _active.current()
            if outer is not None and _active.left_to(outer, self._sdk.package):
                return None
            call = _HttpCall(self.recorders, name, said=said)
            call.home, call.layer = self, self._sdk.package
            call.arguments = options.json_data
            call.provider = self._provider_at(url)
        except Exception as error:  # noqa: BLE001 - told, see `tell`
            tell(self.recorders, error)
            return None
        return call

    def _provider_at(self, url: str) -> str | None:
        """Who answers. Not by the request's own address, of which one asks through a dozen functions, in each call."""
        if "://" in url:
            return provider_at(urlsplit(url).netloc)
        base = self._client.base_url
        if base is not self._base:
            self._base, self._provider = base, provider_at(urlsplit(str(base)).netloc)
        return self._provider

    def _sent(self, request: Any) -> None:
        """A request is about to leave; the first one is what the application asked. Its body does not change any more."""
        call = _active.current()
        if isinstance(call, _HttpCall) and call.home is self:
            call.attempts += 1
            if call.request is None:
                call.request = request

    def _answered(self, kwargs: Mapping[str, Any]) -> None:
        """A response came; of several, the last one counts."""
        call = _active.current()
        if isinstance(call, _HttpCall) and call.home is self:
            call.response = kwargs.get("response")
            retries = kwargs.get("retries_taken")
            call.retries = retries if type(retries) is int else None

    def failed(self, call: Any, error: BaseException) -> None:
        with Shield(self.recorders):
            response = call.response
            refused = getattr(error, "response", None)
            call.request_id = self._request_id(refused if refused is not None else response)
            answered = response is not None and response.is_closed and response.status_code < 400
            # An answer that the SDK could not make sense of, or a helper found cut short.
            call.finish(body_of(response.content) if answered else None, error)

    def done(self, call: Any, result: Any) -> Any:
        try:
            response = call.response
            if response is None:
                self._answered_without(call, result)
            elif response.is_closed:
                # The SDKs note the id at the objects that they make.
                call.request_id = getattr(result, "_request_id", None) or self._request_id(response)
                content = response.content
                # What the SDK has made an object of is JSON.
                is_json = hasattr(result, "model_fields_set") and content.startswith(b"{")
                call.finish(jsontext.Raw(content) if is_json else body_of(content))
            else:
                self._streams(call, response, result)
        except Exception as error:  # noqa: BLE001 - told, see `tell`
            tell(self.recorders, error)
        return result

    def _answered_without(self, call: _HttpCall, result: Any) -> None:
        """Nothing was sent: a middleware of the application's answered by itself."""
        dump = getattr(result, "model_dump", None)
        plain = {"by_alias": True, "exclude_unset": True, "warnings": False}
        call.finish(to_json_value(result if dump is None else dump(**plain)))

    def _streams(self, call: _HttpCall, response: Any, result: Any) -> None:
        call.keep_context()
        call.request_id = self._request_id(response)
        call.response = None  # what waits for its end must not keep it
        content_type = response.headers.get("content-type", "")
        tap = ResponseTap(Gathering(call), self.recorders, content_type=content_type)
        tap.attach(response, is_async=self._is_async)
        watch(result, tap, is_async=self._is_async)

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
