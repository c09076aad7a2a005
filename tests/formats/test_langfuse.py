"""What is particular to Langfuse: disjoint buckets, rows of exports, scores, text that is JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtee.errors import InputError
from llmtee.formats.langfuse.codec import FORMAT
from llmtee.formats.langfuse.detect import STEPS
from llmtee.model import ModelCall, Step, ToolRun


def observation(**fields: Any) -> dict[str, Any]:
    return {
        "id": "o1",
        "traceId": "t1",
        "type": "GENERATION",
        "startTime": "2026-11-17T09:14:02Z",
        **fields,
    }


def call(**fields: Any) -> ModelCall:
    [item] = FORMAT.decode(observation(**fields))
    assert isinstance(item, ModelCall)
    return item


@pytest.mark.parametrize(
    "caches",
    [
        {"input_cached_tokens": 70, "input_cache_creation": 20},
        {"cache_read_input_tokens": 70, "cache_creation_input_tokens": 20},
        {"input_cache_read": 70, "input_cache_creation_5m": 15, "input_cache_creation_1h": 5},
    ],
)
def test_buckets_are_disjoint_in_every_spelling(caches: dict[str, int]) -> None:
    usage = call(usageDetails={"input": 10, **caches, "output": 5, "total": 105}).usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read, usage.cache_write) == (100, 70, 20)
    assert usage.output_tokens == 5
    assert not usage.problems()


@given(
    st.dictionaries(
        st.sampled_from(
            ("input", "input_cached_tokens", "input_audio", "cache_creation_input_tokens")
        ),
        st.integers(0, 10**9),
    ),
    st.dictionaries(
        st.sampled_from(("output", "output_reasoning", "output_audio")), st.integers(0, 10**9)
    ),
)
def test_totals_are_the_sums_of_the_buckets(into: dict[str, int], out: dict[str, int]) -> None:
    found = call(usageDetails={**into, **out, "total": sum((*into.values(), *out.values()))})
    assert found.usage is not None
    assert found.usage.input_tokens == (sum(into.values()) if into else None)
    assert found.usage.output_tokens == (sum(out.values()) if out else None)
    assert found.flags == ()


def test_sums_that_cannot_be_are_flagged_and_not_repaired() -> None:
    found = call(usageDetails={"input": 100, "input_cached_tokens": 70, "output": 5, "total": 105})
    assert found.usage is not None
    assert found.usage.input_tokens == 170
    assert found.flags == ("usage: total_tokens (105) is not input + output (175)",)


def test_absent_counts_are_none_and_other_units_are_no_tokens() -> None:
    assert call().usage is None
    assert call(usageDetails={}, usage={"input": 0, "unit": "CHARACTERS"}).usage is None
    older = call(usage={"input": 0, "output": None, "total": 3, "unit": "TOKENS"}).usage
    assert older is not None
    assert (older.input_tokens, older.output_tokens, older.total_tokens) == (0, None, 3)


def test_cost_is_what_langfuse_says() -> None:
    cost = call(costDetails={"input": "0.1", "output": 0.2}).cost
    assert cost is not None
    assert (cost.amount, cost.source) == (Decimal("0.3"), "vendor")
    assert call(costDetails={}, totalCost=0).cost is None
    assert call(totalCost=0).cost is not None


@pytest.mark.parametrize("kind", STEPS)
def test_other_types_are_steps(kind: str) -> None:
    [step] = FORMAT.decode(observation(type=kind, name="n", input="q", output={"a": 1}))
    assert isinstance(step, Step)
    assert step.step_type == kind.lower()
    assert (step.inputs, step.outputs) == ({"value": "q"}, {"a": 1})


def test_a_tool_is_a_run_with_its_values_read() -> None:
    [run] = FORMAT.decode(observation(type="TOOL", name="f", input='{"id": 1}', output="[1"))
    assert isinstance(run, ToolRun)
    assert (run.arguments, run.result) == ({"id": 1}, "[1")


def test_text_that_is_json_but_no_messages_is_what_was_said() -> None:
    found = call(input='{"city": "Rome"}', output='{"sky": "clear"}')
    assert found.input[0].text == '{"city": "Rome"}'
    assert found.output is not None
    assert found.output.text == '{"sky": "clear"}'


def test_rows_of_an_export_and_objects_of_the_api_are_one_event() -> None:
    api = call(
        parentObservationId="p",
        endTime="2026-11-17T09:14:03.500Z",
        model="gpt-4o",
        usageDetails={"input": 3, "output": 4, "total": 7},
        input=[{"role": "user", "content": "Hi"}],
    )
    row = {
        "id": "o1",
        "trace_id": "t1",
        "type": "GENERATION",
        "parent_observation_id": "p",
        "start_time": "2026-11-17 09:14:02.000000",
        "end_time": "2026-11-17 09:14:03.500000",
        "provided_model_name": "gpt-4o",
        "usage_details": '{"input":3,"output":4,"total":7}',
        "input": '[{"role":"user","content":"Hi"}]',
    }
    [exported] = FORMAT.decode(row)
    assert exported.model_copy(update={"native": None}) == api.model_copy(update={"native": None})


def test_a_page_is_read_item_by_item() -> None:
    page = {"data": [observation(), observation(id="o2")], "meta": {"page": 1}}
    assert len({item.id for item in FORMAT.decode(page)}) == 2
    with pytest.raises(InputError) as caught:
        FORMAT.decode({**page, "data": [observation(), observation(startTime="soon")]})
    assert caught.value.path == "data[1].startTime"


def test_errors_name_the_path_in_the_words_of_the_record() -> None:
    with pytest.raises(InputError) as caught:
        FORMAT.decode({"id": "o", "trace_id": "t", "type": "SPAN", "start_time": True})
    assert caught.value.path == "start_time"


def test_a_score_finds_its_observation_in_its_trace_or_names_it() -> None:
    score = {
        "id": "s",
        "name": "good",
        "value": 1,
        "dataType": "NUMERIC",
        "traceId": "t1",
        "observationId": "o1",
    }
    [alone] = FORMAT.decode(score)
    assert isinstance(alone, Step)
    assert (alone.parent, alone.metrics) == (call().id, {"good": 1})
    trace = {"id": "t1", "timestamp": "2026-11-17T09:14:02Z", "observations": [observation()]}
    step, inside = FORMAT.decode({**trace, "scores": [score]})
    assert isinstance(inside, ModelCall)
    assert (inside.metrics, inside.parent) == ({"good": 1}, step.id)
    _, _, other = FORMAT.decode({**trace, "scores": [{**score, "observationId": "o9"}]})
    assert isinstance(other, Step)
    assert other.step_type == "score"


@pytest.mark.parametrize(
    "definition",
    [
        {"description": "Looks up.", "parameters": {"type": "object"}},
        '{"description": "Looks up.", "parameters": {"type": "object"}}',
        {
            "type": "function",
            "function": {
                "name": "find",
                "description": "Looks up.",
                "parameters": {"type": "object"},
            },
        },
    ],
)
def test_tools_by_name_are_tools(definition: Any) -> None:
    [tool] = call(toolDefinitions={"find": definition}).tools
    assert (tool.name, tool.description, tool.parameters) == (
        "find",
        "Looks up.",
        {"type": "object"},
    )
    [bare] = call(tool_definitions='{"find": "{\\"type\\": \\"object\\"}"}').tools
    assert (bare.name, bare.parameters) == ("find", {"type": "object"})
