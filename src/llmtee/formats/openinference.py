"""OpenInference traces (Arize, Phoenix), as OTLP/JSON. Only read. Facts: its semantic conventions, autumn 2026."""

from __future__ import annotations

from typing import Any

from llmtee.formats.otel_genai.events import traces
from llmtee.formats.otel_genai.kinds import is_openinference, keys_of
from llmtee.model import Item
from llmtee.spec import Format

NAME = "openinference"


TRACES = traces(NAME)


def decode(raw: Any) -> list[Item]:
    """The events of an export, of one span, or of a list of spans: one for each span.

    The same as ``otel-genai`` reads, ids included; what has no canonical home is in ``extra["openinference"]``.

    Raises:
        InputError: something is not of the shape of OTLP/JSON; the error names its JSON path.
    """
    return TRACES.join([piece for _, piece in TRACES.split(raw)])


def detect(raw: Any) -> str | None:
    """Why a record is surely of this format; ``None`` if it is not."""
    key = is_openinference(keys_of(raw) or set())
    return f"spans have {key}" if key else None


FORMAT = Format(
    name=NAME,
    title="OpenInference traces (OTLP/JSON)",
    decode=decode,
    detect=detect,
    traces=TRACES,
)
