"""What Converse cannot say of a model call."""

from __future__ import annotations

from collections.abc import Mapping

from llmtee.formats import _cannot

CANNOT: Mapping[str, str] = {
    **_cannot.ALL,
    **_cannot.ONE_CHOICE,
    **_cannot.NO_NAMES,
    **_cannot.SUMMARY,
    **_cannot.parameters("bedrock-converse", strict=True),
    "parameters.stop": "stop sequences are a list",
    "response_model": "an answer does not name the model",
    "+usage.total_tokens": "the shape demands a total",
    "choices[].message.role": "an answer is the assistant's",
}
