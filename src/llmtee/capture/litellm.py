# ruff: noqa: ARG002 - LiteLLM passes everything by name
"""LiteLLM: a logger that records its calls as events of a Tee.

    import litellm
    from llmtee.capture.litellm import LlmteeLogger

    litellm.callbacks = [LlmteeLogger(tee)]

Recorded are ``completion`` and ``responses``, synchronous and asynchronous, failed ones too, and streams when they are
complete. Needs ``litellm`` (the extra ``litellm``).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from llmtee.capture import _active
from llmtee.capture._call import described
from llmtee.capture._extras import needs
from llmtee.formats.providers import provider_word
from llmtee.model.ids import derive_id
from llmtee.tee import DEFAULT, Tee, get_tee

with needs("llmtee.capture.litellm", "LiteLLM", "litellm"):
    from litellm.integrations.custom_logger import CustomLogger

__all__ = ["LlmteeLogger"]

_LAYER = "litellm"
_FORMATS = {
    **dict.fromkeys(("completion", "acompletion"), "openai-chat"),
    **dict.fromkeys(("responses", "aresponses"), "openai-responses"),
}
"""The shapes that LiteLLM gives its answers, whoever the provider, by the type of call."""
_SESSION = ("session_id", "thread_id", "conversation_id")
_PERSON = ("trace_user_id", "user_id", "user_api_key_end_user_id")
_READ = (*_SESSION, *_PERSON, "tags")
_INTERNAL = (
    *("hidden_params", "user_api_key", "litellm_", "model_group", "model_info", "deployment"),
    *("previous_models", "caching_groups", "api_base", "headers", "endpoint", "requester_"),
)
"""What LiteLLM itself puts into the metadata of a call begins with one of these."""
_MOST_OPEN = 10_000


@dataclass
class _Begun:
    variables: Context
    claim: _active.Claim


class LlmteeLogger(CustomLogger):  # type: ignore[misc]  # LiteLLM is no dependency, not even of development
    """Records what LiteLLM calls.

    Session and person are ``session_id`` (or ``thread_id``) and ``trace_user_id`` (or ``user_id``) in the ``metadata`` of a
    call, else its ``user``, else those of ``tee.session``. Tags are its ``tags``, and the rest are properties. A call that a
    wrapped client below LiteLLM records is left to it, because LiteLLM tells of the end only afterwards.

    Args:
        tee: where to; by default the default Tee.
    """

    def __init__(self, tee: Tee | None = None) -> None:
        super().__init__()
        self.recorded = 0
        """Calls that became events."""
        self.ignored = 0
        """Calls of other kinds, such as embeddings."""
        self.duplicates = 0
        """Calls that a wrapped client recorded."""
        self._given = tee
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        self._lock = threading.Lock()

    # ── what LiteLLM calls; it passes by name ───────────────────────────────────────────────────────────────────

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Notes who calls, in the context of the call."""
        try:
            begun = _Begun(copy_context(), _active.claim(_LAYER, yields=True))
            with self._lock:
                self._begun[_call_id(kwargs)] = begun
                if len(self._begun) > _MOST_OPEN:
                    self._begun.popitem(last=False)
        except Exception as error:  # noqa: BLE001 - our bug is never the application's exception
            self._failed(error)

    def log_post_api_call(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """The provider answered: what a client does from now on is no part of this call."""
        begun = self._begun.get(_call_id(kwargs))
        if begun is not None:
            begun.claim.under_way = False

    def log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Records the call."""
        self._ended(kwargs, response_obj, start_time, end_time)

    def log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Records the call, and why it failed."""
        error = kwargs.get("exception")
        self._ended(kwargs, None, start_time, end_time, error if error is not None else "failed")

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """As `log_success_event`."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """As `log_failure_event`."""
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    # ── recording ───────────────────────────────────────────────────────────────────────────────────────────────

    def _ended(self, kwargs: Any, response: Any, start: Any, end: Any, error: Any = None) -> None:
        try:
            with self._lock:
                begun = self._begun.pop(_call_id(kwargs), None)
            if begun is not None:
                begun.claim.under_way = False
                if begun.claim.seen_by is not None:
                    self.duplicates += 1
                    _active.warn_of_two(begun.claim.seen_by, _LAYER)
                    return
            name = _FORMATS.get(str(kwargs.get("call_type")))
            if name is None:
                self.ignored += 1
                return
            record = _record(kwargs, response, start, end, error)
            tee = get_tee() if self._given is None else self._given
            if begun is None:
                tee.record_call(name, **record)
            else:
                begun.variables.copy().run(tee.record_call, name, **record)
            self.recorded += 1
        except Exception as failure:  # noqa: BLE001 - as above
            self._failed(failure)

    def _failed(self, error: Exception) -> None:
        (DEFAULT if self._given is None else self._given).capture_failed(error)


def _call_id(kwargs: Mapping[str, Any]) -> str:
    return str(kwargs.get("litellm_call_id"))


def _record(
    kwargs: Mapping[str, Any], response: Any, start: Any, end: Any, error: Any
) -> dict[str, Any]:
    """The record of a call, as the formats of providers have it."""
    whole = kwargs.get("async_complete_streaming_response") or kwargs.get(
        "complete_streaming_response"
    )
    response = whole or response
    given = kwargs.get("optional_params")
    parameters = {
        key: value
        for key, value in (given.items() if isinstance(given, Mapping) else ())
        if value is not None and value != {} and key != "extra_body"
    }
    asked = "input" if "responses" in str(kwargs.get("call_type")) else "messages"
    around = kwargs.get("litellm_params")
    metadata = around.get("metadata") if isinstance(around, Mapping) else None
    metadata = metadata if isinstance(metadata, Mapping) else {}
    provider = kwargs.get("custom_llm_provider")
    cost = kwargs.get("response_cost")
    said = {
        # A retry has the same call id, and begins later.
        "id": derive_id(_LAYER, _call_id(kwargs), str(start)),
        "request": {
            "model": kwargs.get("model"),
            asked: kwargs.get("messages") or kwargs.get("input"),
            **parameters,
        },
        "response": response.model_dump() if hasattr(response, "model_dump") else response,
        "error": described(error) if isinstance(error, BaseException) else error,
        "provider": provider_word(provider) if isinstance(provider, str) else None,
        "started_at": _time(start),
        "ended_at": _time(end),
        "first_token_at": _time(kwargs.get("completion_start_time"))
        if kwargs.get("stream")
        else None,
        "cost": cost if isinstance(cost, int | float) and cost > 0 else None,
        "source_ids": {_LAYER: _call_id(kwargs)},
    }
    said["session"] = _first(metadata, _SESSION)
    said["person"] = _first(metadata, _PERSON) or parameters.get("user")
    tags = metadata.get("tags")
    said["tags"] = [str(tag) for tag in tags] if isinstance(tags, list) and tags else None
    own = {
        key: value
        for key, value in metadata.items()
        if isinstance(key, str) and key not in _READ and not key.startswith(_INTERNAL)
    }
    said["properties"] = own or None
    return {key: value for key, value in said.items() if value is not None}


def _first(metadata: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    found = (metadata.get(key) for key in keys)
    return next((str(value) for value in found if value), None)


def _time(value: Any) -> float | None:
    """Unix seconds; LiteLLM's times have no zone, and mean this machine's."""
    return value.timestamp() if isinstance(value, dt.datetime) else None
