"""OpenTelemetry traces of generative AI, as OTLP/JSON, in all five dialects that emitters have written. Only read.

Facts: the OpenTelemetry semantic conventions for generative AI, autumn 2026 (all still in development), OpenLLMetry,
OpenInference, and the attributes of the Vercel AI SDK, Logfire, Langfuse and LangSmith.
"""

from __future__ import annotations

from typing import Any

from llmtee.formats.otel_genai.events import traces
from llmtee.formats.otel_genai.kinds import is_exported, is_openinference, is_telemetry, keys_of
from llmtee.model import Item
from llmtee.spec import Format

NAME = "otel-genai"


TRACES = traces(NAME)


def decode(raw: Any) -> list[Item]:
    """The events of an export, of one span, or of a list of spans: one for each span.

    Ids are derived from trace and span, and so are parents: spans of one trace meet, whichever record they came in.
    ``extra["otel-genai"]`` has the dialect that messages were read from, and whatever was not read.

    Raises:
        InputError: something is not of the shape of OTLP/JSON; the error names its JSON path.
    """
    return TRACES.join([piece for _, piece in TRACES.split(raw)])


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    keys = keys_of(raw)
    if keys is None or is_openinference(keys) or is_exported(keys):
        return None
    if key := is_telemetry(keys):
        return f"spans or log records have {key}"
    named = (
        key for key in ("resourceSpans", "resourceLogs") if isinstance(raw, dict) and key in raw
    )
    return next((f"it has {key}" for key in named), None)


FORMAT = Format(
    name=NAME,
    title="OpenTelemetry GenAI traces (OTLP/JSON)",
    decode=decode,
    detect=detect,
    traces=TRACES,
)
