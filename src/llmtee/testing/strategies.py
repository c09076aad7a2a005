"""Hypothesis strategies: any event, any conversation. For property tests of vendors, formats and anything between.

Texts hold what real transcripts hold: several scripts, emoji, control characters, markup. Needs ``llmtee[testing]``.
"""

from __future__ import annotations

import base64
import copy
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from llmtee.model import (
    ROLES,
    Agent,
    Annotation,
    AnyPart,
    Branch,
    Choice,
    CitationPart,
    Conversation,
    Cost,
    ErrorInfo,
    Generation,
    MediaPart,
    Message,
    ModelCall,
    Native,
    OtherPart,
    Person,
    PromptTemplate,
    Reason,
    ReasoningPart,
    RefusalPart,
    Step,
    Supplement,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    ToolResultPart,
    ToolRun,
    Usage,
    VendorRequest,
)

T = TypeVar("T")

_SAMPLES = (
    "",
    "Hello",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "こんにちは世界",
    "👩‍👩‍👧‍👦 family",
    "é vs é",
    "null\x00byte",
    "<script>alert(1)</script>",
    "line\nline\r\n\ttab",
    '{"json": "inside"}',
    "\u202eright to left",
)


def texts(max_size: int = 40) -> st.SearchStrategy[str]:
    """Any text, and some that has hurt before."""
    return st.sampled_from(_SAMPLES) | st.text(max_size=max_size)


def names() -> st.SearchStrategy[str]:
    """Short non-empty names and ids, with the characters that break addresses."""
    return st.sampled_from(("a", "agent-1", "a/b?c#d", "ünï", "s 1")) | st.text(
        min_size=1, max_size=12
    )


def times() -> st.SearchStrategy[dt.datetime]:
    """Aware times between 2001 and 2100."""
    return st.datetimes(
        dt.datetime(2001, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        dt.datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(dt.UTC),
    )


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, integers beyond 64 bits among them."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts(12)
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(6), inner, max_size=3),
        max_leaves=6,
    )


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    """Any small JSON object."""
    return st.dictionaries(texts(8), json_values(), max_size=3)


@dataclass(frozen=True)
class _Maybe:
    """A field that half of what `_built` builds leaves out."""

    said: st.SearchStrategy[Any]


def _built(cls: type[T], /, **fields: st.SearchStrategy[Any] | _Maybe) -> st.SearchStrategy[T]:
    """Like ``st.builds``, with one draw for all the fields that may be left out: an example costs what it draws."""
    always = {name: one for name, one in fields.items() if not isinstance(one, _Maybe)}
    maybe = {name: one.said for name, one in fields.items() if isinstance(one, _Maybe)}

    @st.composite
    def build(draw: st.DrawFn) -> T:
        said = draw(st.integers(0, 2 ** len(maybe) - 1)) if maybe else 0
        found = {name: draw(one) for name, one in always.items()}
        for bit, (name, one) in enumerate(maybe.items()):
            found[name] = draw(one) if said >> bit & 1 else None
        return cls(**found)

    return build()


def _tuples(strategy: st.SearchStrategy[T], max_size: int = 2) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=max_size).map(tuple)


def _counts() -> _Maybe:
    return _Maybe(st.integers(0, 10**7))


def usages() -> st.SearchStrategy[Usage]:
    """Token counts, possible and impossible."""
    counts = {name: _counts() for name in Usage.model_fields if name != "raw"}
    return _built(Usage, **counts, raw=_Maybe(json_objects()))


def costs() -> st.SearchStrategy[Cost]:
    """Amounts of money."""
    return _built(
        Cost,
        amount=st.decimals(0, 1000, places=6, allow_nan=False, allow_infinity=False),
        currency=st.sampled_from(("USD", "EUR")),
        source=st.sampled_from(("provider", "vendor", "computed", "caller")),
        details=st.dictionaries(names(), st.just(Decimal("0.5")), max_size=1),
    )


def agents() -> st.SearchStrategy[Agent]:
    """Agents, some without a name."""
    return _built(
        Agent,
        name=_Maybe(names()),
        version=_Maybe(names()),
        description=_Maybe(texts()),
        ids=st.dictionaries(st.sampled_from(("roark", "other")), names(), max_size=1),
    )


def people() -> st.SearchStrategy[Person]:
    """Persons, some without an id."""
    return _built(Person, id=_Maybe(names()), properties=json_objects())


def errors() -> st.SearchStrategy[ErrorInfo]:
    """Failures."""
    return _built(
        ErrorInfo,
        message=texts(),
        type=_Maybe(names()),
        code=_Maybe(names()),
        status=_Maybe(st.integers(400, 599)),
    )


def media() -> st.SearchStrategy[MediaPart]:
    """Media by reference, by id, by bytes, or by nothing at all."""
    return _built(
        MediaPart,
        media=st.sampled_from(("image", "audio", "video", "document", "other")),
        mime=_Maybe(st.sampled_from(("image/png", "audio/wav", "application/pdf"))),
        url=_Maybe(st.sampled_from(("https://example.com/a.png", "s3://bucket/key"))),
        data=_Maybe(st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode())),
        file_id=_Maybe(names()),
        filename=_Maybe(names()),
        detail=_Maybe(st.sampled_from(("auto", "low", "high"))),
        transcript=_Maybe(texts()),
    )


def tool_calls() -> st.SearchStrategy[ToolCallPart]:
    """Tool calls: with text, with an object, with neither."""
    return _built(
        ToolCallPart,
        id=_Maybe(st.sampled_from(("call_1", "call_2", "call_3"))),
        name=names(),
        arguments=_Maybe(json_values()),
        arguments_text=_Maybe(st.sampled_from(("{}", '{"a": 1}', '{"cut": tr')) | texts(12)),
        call_type=st.sampled_from(("function", "custom", "web_search")),
    )


def tool_results() -> st.SearchStrategy[ToolResultPart]:
    """Tool results: text, objects, parts."""
    texts_or_media = _built(TextPart, text=texts()) | media()
    return _built(
        ToolResultPart,
        call_id=_Maybe(st.sampled_from(("call_1", "call_2", "call_3"))),
        name=_Maybe(names()),
        result=json_values(),
        parts=_tuples(texts_or_media),
        is_error=_Maybe(st.booleans()),
    )


def parts() -> st.SearchStrategy[AnyPart]:
    """Any part."""
    return st.one_of(
        _built(TextPart, text=texts()),
        _built(
            ReasoningPart,
            text=_Maybe(texts()),
            summary=_tuples(texts(), 1),
            signature=_Maybe(names()),
            encrypted=_Maybe(names()),
        ),
        media(),
        tool_calls(),
        tool_results(),
        _built(RefusalPart, text=texts()),
        _built(
            CitationPart,
            url=_Maybe(st.just("https://example.com/doc")),
            title=_Maybe(texts()),
            label=_Maybe(texts(6)),
            start=_Maybe(st.integers(0, 100)),
            end=_Maybe(st.integers(0, 100)),
            breadcrumbs=_Maybe(_tuples(texts(6))),
        ),
        _built(OtherPart, name=names(), data=json_values()),
    )


def _roles() -> st.SearchStrategy[str]:
    return st.sampled_from(ROLES) | st.sampled_from(("critic", "function"))


def messages() -> st.SearchStrategy[Message]:
    """Messages as a provider sends them."""
    return _built(Message, role=_roles(), parts=_tuples(parts(), 3), name=_Maybe(names()))


def _base() -> dict[str, st.SearchStrategy[Any] | _Maybe]:
    return {
        "id": st.uuids(version=4).map(str) | names(),
        "session": _Maybe(names()),
        "parent": _Maybe(names()),
        "trace_id": _Maybe(st.just("4bf92f3577b34da6a3ce929d0e0e4736")),
        "name": _Maybe(names()),
        "agent": _Maybe(agents()),
        "person": _Maybe(people()),
        "started_at": _Maybe(times()),
        "ended_at": _Maybe(times()),
        "first_token_at": _Maybe(times()),
        "duration_ms": _Maybe(st.floats(0, 1e7)),
        "error": _Maybe(errors()),
        "metrics": json_objects(),
        "feedback": json_objects(),
        "properties": json_objects(),
        "tags": _tuples(names()),
        "source": _Maybe(names()),
        "source_ids": st.dictionaries(names(), names(), max_size=1),
        "flags": _tuples(names(), 1),
        "extra": st.dictionaries(st.sampled_from(("record", "other")), json_objects(), max_size=1),
    }


def parameters() -> st.SearchStrategy[dict[str, Any]]:
    """Parameters by their canonical names, some of one provider only, and some that nobody knows."""
    tool = st.just({"type": "function", "function": {"name": "look"}})
    schema = st.fixed_dictionaries(
        {"schema": json_objects()}, optional={"name": names(), "strict": st.booleans()}
    )
    formats = st.sampled_from(({"type": "text"}, {"type": "json_object"})) | st.builds(
        lambda inner: {"type": "json_schema", "json_schema": inner}, schema
    )
    known = {
        "max_output_tokens": st.integers(1, 10**6),
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 100),
        "stop": texts(6) | st.lists(texts(6), min_size=1, max_size=2),
        "seed": st.integers(0, 2**31),
        "n": st.integers(1, 3),
        "presence_penalty": st.floats(-2, 2),
        "frequency_penalty": st.floats(-2, 2),
        "tool_choice": st.sampled_from(("auto", "none", "required")) | tool,
        "parallel_tool_calls": st.booleans(),
        "response_format": formats,
        "reasoning_effort": st.sampled_from(("minimal", "low", "medium", "high")),
        "reasoning_budget": st.sampled_from((0, 1024)),
        "user": names(),
        "stream": st.booleans(),
        "logprobs": st.booleans(),
        "top_logprobs": st.integers(0, 5),
        "metadata": st.dictionaries(names(), texts(6), min_size=1, max_size=2),
        "service_tier": st.sampled_from(("default", "flex", "priority")),
        "logit_bias": st.just({"1234": -100}),
        "thinkingConfig": st.just({"includeThoughts": True}),
        "guardrailConfig": st.just({"guardrailIdentifier": "gr-7"}),
        "anthropic_beta": st.just(["files-api-2025-04-14"]),
        "previous_response_id": st.just("resp_1"),
        "x_unknown": json_values(),
    }
    chosen = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: known[key] for key in keys}))


def model_calls(
    parameters: st.SearchStrategy[dict[str, Any]] | None = None,
) -> st.SearchStrategy[ModelCall]:
    """Any model call, finished, failed or half; its parameters are any JSON object unless ``parameters`` are given."""
    choice = _built(
        Choice,
        message=messages(),
        finish_reason=_Maybe(st.sampled_from(("stop", "length", "tool_call", "error"))),
        finish_reason_raw=_Maybe(names()),
    )
    tool = _built(
        ToolDefinition,
        name=_Maybe(names()),
        description=_Maybe(texts()),
        parameters=_Maybe(json_objects()),
    )
    native = _built(
        Native,
        dialect=st.sampled_from(("openai-chat-completions", "anthropic-messages", "mine")),
        request=json_values(),
        response=json_values(),
    )
    return _built(
        ModelCall,
        **_base(),
        provider=_Maybe(st.sampled_from(("openai", "anthropic", "gcp.gemini"))),
        model=_Maybe(names()),
        response_model=_Maybe(names()),
        parameters=json_objects() if parameters is None else parameters,
        tools=_tuples(tool, 1),
        template=_Maybe(_built(PromptTemplate, messages=json_values(), variables=json_objects())),
        input=_tuples(messages(), 3),
        choices=_tuples(choice, 2),
        usage=_Maybe(usages()),
        cost=_Maybe(costs()),
        native=_Maybe(native),
    )


def tool_runs() -> st.SearchStrategy[ToolRun]:
    """Any run of a tool."""
    return _built(
        ToolRun,
        **_base(),
        call_id=_Maybe(st.sampled_from(("call_1", "call_2"))),
        description=_Maybe(texts()),
        arguments=json_values(),
        result=json_values(),
    )


def steps() -> st.SearchStrategy[Step]:
    """Any other step."""
    return _built(
        Step,
        **_base(),
        step_type=st.sampled_from(("chain", "agent", "retriever", "session")),
        inputs=json_objects(),
        outputs=json_objects(),
        config=json_objects(),
    )


def events() -> st.SearchStrategy[ModelCall | ToolRun | Step]:
    """Any event."""
    return model_calls() | tool_runs() | steps()


def supplements() -> st.SearchStrategy[Supplement]:
    """Any supplement."""
    return _annotations() | _vendor_requests()


def _annotations() -> st.SearchStrategy[Annotation]:
    return _built(
        Annotation,
        target=names().filter(bool),
        target_type=st.sampled_from(("event", "session", "message")),
        session=_Maybe(names()),
        message=_Maybe(names()),
        at=_Maybe(times()),
        person=_Maybe(people()),
        rating=_Maybe(st.sampled_from(("positive", "negative"))),
        comment=_Maybe(texts()),
        reasons=_tuples(_built(Reason, label=texts(), details=texts())),
        action=_Maybe(names()),
        feedback=json_objects(),
        metrics=json_objects(),
        outputs=_Maybe(json_objects()),
        properties=json_objects(),
    )


def _vendor_requests() -> st.SearchStrategy[VendorRequest]:
    return _built(
        VendorRequest,
        vendor=st.sampled_from(("voker", "honeyhive", "elsewhere")),
        operation=st.sampled_from(("people.update", "agents.create", "nothing")),
        arguments=json_objects()
        | st.just({"agent_name": "a"})
        | st.just({"person_id": "p", "properties": {}}),
        subject=_Maybe(names()),
    )


def _conversation_messages() -> st.SearchStrategy[Message]:
    generation = _built(
        Generation,
        event=_Maybe(names()),
        provider=_Maybe(names()),
        model=_Maybe(names()),
        response_model=_Maybe(names()),
        parameters=json_objects(),
        finish_reason=_Maybe(st.just("stop")),
        usage=_Maybe(usages()),
        cost=_Maybe(costs()),
        started_at=_Maybe(times()),
        ended_at=_Maybe(times()),
        error=_Maybe(errors()),
    )
    return _built(
        Message,
        role=_roles(),
        parts=_tuples(parts(), 3),
        name=_Maybe(names()),
        id=_Maybe(names()),
        started_at=_Maybe(times()),
        ended_at=_Maybe(times()),
        language=_Maybe(st.sampled_from(("en", "ar"))),
        agent=_Maybe(agents()),
        person=_Maybe(people()),
        generation=_Maybe(generation),
        properties=json_objects(),
        tags=_tuples(names(), 1),
        source_ids=st.dictionaries(names(), names(), max_size=1),
    )


def branches() -> st.SearchStrategy[Branch]:
    """What may stand beside a transcript, after a message that need not be there."""
    # Few and small: every test that draws a conversation pays for them.
    message = _built(
        Message,
        role=_roles(),
        parts=_tuples(parts(), 1),
        id=_Maybe(names()),
        started_at=_Maybe(times()),
    )
    reasons = ("edited", "regenerated", "choice", "reworded", "prompt", "side_call", "odd")
    return _built(
        Branch,
        reason=st.sampled_from(reasons),
        after=_Maybe(names()),
        messages=_tuples(message, 1),
        detached=st.booleans(),
        agent=_Maybe(agents()),
        parent=_Maybe(names()),
    )


def conversations() -> st.SearchStrategy[Conversation]:
    """Any conversation, assembled by us or not."""
    return _built(
        Conversation,
        id=st.uuids(version=5).map(str) | names(),
        session=_Maybe(names()),
        segment=st.integers(0, 3),
        messages=_tuples(_conversation_messages(), 4),
        branches=_tuples(branches(), 1),
        tool_runs=_tuples(tool_runs(), 2),
        agents=_tuples(agents(), 2),
        people=_tuples(people(), 2),
        started_at=_Maybe(times()),
        ended_at=_Maybe(times()),
        updated_at=_Maybe(times()),
        trace_id=_Maybe(st.just("4bf92f3577b34da6a3ce929d0e0e4736")),
        title=_Maybe(texts()),
        visibility=_Maybe(st.sampled_from(("private", "public", "odd"))),
        properties=json_objects(),
        metrics=json_objects(),
        feedback=json_objects(),
        tags=_tuples(names()),
        source=_Maybe(names()),
        source_ids=st.dictionaries(names(), names(), max_size=1),
    )


def odd_values() -> st.SearchStrategy[Any]:
    """What stands where something else was meant: another type, nothing, far too deep, not JSON at all."""
    return json_values() | st.sampled_from(
        (
            *(None, True, -1, 10**400, 1.5, float("nan"), float("inf"), "\ud800", "\x00", b"bytes"),
            *([], {}, [[]], [None], {"": None}, {"type": 3}, {"type": "text"}),
            *({"text": 3}, {"parts": {}}, _deep(300)),
        )
    )


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:
    """``value``, a JSON value, with one thing in it, anywhere, removed or replaced by an odd one."""
    place = draw(st.sampled_from(list(_places(value))))
    if not place:
        return draw(odd_values())
    copied = copy.deepcopy(value)
    holder = copied
    for step in place[:-1]:
        holder = holder[step]
    if draw(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = draw(odd_values())
    return copied


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    steps: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, inner in steps:
        yield from _places(inner, (*place, step))


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value
