"""What Gemini cannot say of a model call."""

from __future__ import annotations

from collections.abc import Mapping

from llmtee.formats import _cannot

CANNOT: Mapping[str, str] = {
    **_cannot.ALL,
    **_cannot.NO_NAMES,
    **_cannot.SUMMARY,
    **_cannot.PLAIN_CALLS,
    **_cannot.parameters("gemini", strict=True),
    "parameters.stop": "stop sequences are a list",
    "usage.{cache_write|cache_write_5m|cache_write_1h|accepted_prediction|rejected_prediction}": "usage has no such count",
    "+usage.total_tokens": "the shape has a total",
    "choices[].message.role": "an answer is the assistant's",
}
