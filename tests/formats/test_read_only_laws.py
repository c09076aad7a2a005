"""The laws of the formats that are only read: traces and exports, over mutations of real records."""

from __future__ import annotations

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.testing.format_contract import FormatContract, records_in

FOLDER = data_dir("fixtures") / "formats"


class TestOTelGenAI(FormatContract):
    format = registry.format("otel-genai")
    fixtures = records_in(FOLDER / "otel-genai")
    no_records = (None, 1, "text", [{}], {}, {"a": 1})  # an empty list of spans is one


class TestOpenInference(FormatContract):
    format = registry.format("openinference")
    fixtures = records_in(FOLDER / "openinference")
    no_records = (None, 1, "text", [{}], {}, {"a": 1})  # an empty list of spans is one


class TestLangfuse(FormatContract):
    format = registry.format("langfuse")
    fixtures = records_in(FOLDER / "langfuse")


class TestLangSmith(FormatContract):
    format = registry.format("langsmith")
    fixtures = records_in(FOLDER / "langsmith")


del FormatContract  # pytest would run the base class, too
