"""Responses of Gemini, to the fields of a model call and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.gemini.citations import decode_citations, encode_citations
from llmtee.formats.gemini.messages import decode_answer, encode_content
from llmtee.formats.gemini.names import own, owned, without_nones
from llmtee.formats.gemini.tools import Pairing, names_of
from llmtee.formats.gemini.usage import decode_usage, encode_usage
from llmtee.jsonfields import as_list, as_object, join, rest, text_or_none
from llmtee.model import Choice, ErrorInfo, Message, ModelCall, RefusalPart
from llmtee.model.times import parse_time

FINISH_REASONS: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"),
        "content_filter",
    ),
    **dict.fromkeys(
        ("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
        "content_filter",
    ),
    **dict.fromkeys(
        ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "OTHER"), "error"
    ),
}
"""The words of the wire to the canonical ones; any other is kept as the raw word only."""

_WORDS = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_call": "STOP",
    "content_filter": "SAFETY",
    "pause": "STOP",
    "error": "OTHER",
}
_FEEDBACK = "promptFeedback"
_KNOWN = ("candidates", "usageMetadata", "modelVersion", "responseId", "error")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decode_response(raw: Any, path: str, pairing: Pairing) -> dict[str, Any]:
    """The fields of the event that a response tells.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    if isinstance(raw, str):
        # A gateway's page with status 200 reaches the application as text: kept in ``native`` as it came.
        return {"flags": ("response_not_json",)}
    response = as_object(raw, path)
    if not any(key in response for key in (*_KNOWN, _FEEDBACK)):
        raise InputError(
            "has neither candidates nor promptFeedback nor error, so it is no answer of Gemini",
            path=path or None,
        )
    choices = _decode_candidates(response.get("candidates"), join(path, "candidates"), pairing)
    beside = rest(response, *_KNOWN)
    if not choices and (blocked := _decode_blocked(response.get(_FEEDBACK))):
        choices = (blocked,)
        del beside[_FEEDBACK]
    usage = decode_usage(response.get("usageMetadata"), join(path, "usageMetadata"))
    error = _decode_error(response.get("error"), join(path, "error"))
    answered_nothing = not choices and error is None
    fields = {
        "response_id": text_or_none(response.get("responseId"), join(path, "responseId")),
        "created": _created(response.get("createTime")),
        "response_model": text_or_none(response.get("modelVersion"), join(path, "modelVersion")),
        "choices": choices,
        "usage": usage,
        "error": error,
        "flags": () if usage is None else tuple(f"usage: {one}" for one in usage.problems()),
        "ours": {"response": beside} if beside or answered_nothing else {},
    }
    return without_nones(fields)


def _created(value: Any) -> dt.datetime | None:
    """The time of ``createTime`` where it is one; it is kept as it came besides."""
    try:
        return parse_time(value)
    except (ValueError, ArithmeticError):
        return None


def _decode_candidates(raw: Any, path: str, pairing: Pairing) -> tuple[Choice, ...]:
    return tuple(
        _decode_candidate(as_object(one, f"{path}[{i}]"), f"{path}[{i}]", i, pairing.copy())
        for i, one in enumerate(as_list(raw, path))
    )


def _decode_candidate(raw: Mapping[str, Any], path: str, position: int, pairing: Pairing) -> Choice:
    extra = rest(raw, "content", "finishReason", "index")
    if raw.get("index", position) != position:
        extra["index"] = raw["index"]
    if "content" in raw:
        message = decode_answer(raw["content"], f"{path}.content", pairing)
        citations = decode_citations(raw, message.parts)
        message = message.model_copy(update={"parts": (*message.parts, *citations)})
    else:  # nothing was said, mostly because a filter stepped in
        message = Message(role="assistant")
        extra["content"] = "absent"
    word = text_or_none(raw.get("finishReason"), f"{path}.finishReason")
    return Choice(
        message=message,
        finish_reason=_reason(word, message),
        finish_reason_raw=word,
        extra=owned(extra),
    )


def _reason(word: str | None, message: Message) -> str | None:
    """Gemini says STOP as well when it waits for the answers of functions."""
    if word == "STOP" and any(call.call_type == "function" for call in message.tool_calls):
        return "tool_call"
    return FINISH_REASONS.get(word or "")


def _decode_blocked(raw: Any) -> Choice | None:
    """The answer to a prompt that was blocked: there is no candidate, only feedback."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("blockReason"), str):
        return None
    told = raw.get("blockReasonMessage")
    known = ["blockReason"] + (["blockReasonMessage"] if isinstance(told, str) else [])
    return Choice(
        message=Message(
            role="assistant", parts=(RefusalPart(text=told),) if isinstance(told, str) else ()
        ),
        finish_reason="content_filter",
        finish_reason_raw=raw["blockReason"],
        extra=owned({"field": _FEEDBACK, **rest(raw, *known, "field")}),
    )


def _decode_error(raw: Any, path: str) -> ErrorInfo | None:
    """A failure as Google's APIs tell it: ``code`` is the HTTP status and ``status`` the error's name."""
    if raw is None:
        return None
    if isinstance(raw, str):
        return ErrorInfo(message=raw)
    raw = as_object(raw, path)
    code, kind, message = raw.get("code"), raw.get("status"), raw.get("message")
    known = [key for key in ("status", "message") if isinstance(raw.get(key), str)]
    known += ["code"] if type(code) is int or isinstance(code, str) else []
    kind = kind if isinstance(kind, str) else None
    text = str(code) if "code" in known else None
    return ErrorInfo(
        message=message if isinstance(message, str) else kind or text or "failed",
        type=kind,
        code=text,
        status=code if type(code) is int and 400 <= code <= 599 else None,
        details=rest(raw, *known) or None,
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def encode_response(call: ModelCall) -> dict[str, Any] | None:
    """A response of Gemini; ``None`` for a call without an answer."""
    beside = own(call).get("response")
    beside_answer = rest(beside, *_KNOWN) if isinstance(beside, dict) else {}
    if not call.choices and call.error is None and beside is None:
        return None
    default = None if not call.choices else call.id
    known = {
        "usageMetadata": None if call.usage is None else encode_usage(call.usage),
        "modelVersion": call.response_model,
        "responseId": call.source_ids.get(call.provider or "gcp.gemini", default),
        "error": None if call.error is None else _encode_error(call.error),
    }
    feedback = [choice for choice in call.choices if own(choice).get("field") == _FEEDBACK]
    candidates = [choice for choice in call.choices if choice not in feedback]
    names = names_of(part for message in call.input for part in message.parts)
    answer: dict[str, Any] = {}
    if candidates:
        encoded = [_encode_candidate(one, i, names) for i, one in enumerate(candidates)]
        answer = {"candidates": encoded}
    elif feedback:
        answer = {_FEEDBACK: _encode_feedback(feedback[0])}
    elif call.error is None:
        answer = {"candidates": []}
    return {**answer, **without_nones(known), **rest(beside_answer, *answer)}


def _encode_candidate(choice: Choice, position: int, names: Mapping[str, str]) -> dict[str, Any]:
    extra = own(choice)
    said = choice.message.model_copy(update={"role": "assistant"})
    absent = extra.pop("content", None) == "absent" and not said.parts
    word = choice.finish_reason_raw
    if choice.finish_reason is not None and _reason(word, said) != choice.finish_reason:
        word = _WORDS.get(choice.finish_reason, word)
    return {
        **({} if absent else {"content": encode_content(said, names)}),
        **without_nones({"finishReason": word}),
        "index": position,
        **encode_citations(said.parts),
        **rest(extra, "content", "finishReason"),
    }


def _encode_feedback(choice: Choice) -> dict[str, Any]:
    told = choice.message.text
    return {
        "blockReason": "OTHER" if choice.finish_reason_raw is None else choice.finish_reason_raw,
        **({"blockReasonMessage": told} if choice.message.parts else {}),
        **rest(own(choice), "field"),
    }


def _encode_error(error: ErrorInfo) -> dict[str, Any]:
    details = error.details if isinstance(error.details, dict) else {}
    code: Any = error.code if error.status is None else error.status
    known = without_nones({"code": code, "message": error.message, "status": error.type})
    # A value of another type than Google's was kept with the details, and the field told by another one.
    odd = {key for key in known if key in details and type(details[key]) not in (str, int)}
    odd |= {key for key in ("message", "status") if type(details.get(key)) is int}
    return {**details, **rest(known, *odd)}
