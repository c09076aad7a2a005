"""A conversation to events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmtee.assembly._whole import FROM_MESSAGES, OURS, SESSION
from llmtee.assembly._calls import is_heard
from llmtee.model import (
    Choice,
    Conversation,
    ErrorInfo,
    Event,
    Generation,
    Message,
    ModelCall,
    Step,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)
from llmtee.model.ids import derive_id

UNANSWERED = "unanswered"
"""Flag of the call that `split` makes from messages after the last answer."""

_SCORES = ("metrics", "feedback")
"""Properties of an answer in which `assemble` keeps what the call has fields for."""

_PLAIN: dict[str, Any] = {"generation": None}
_MOVED: dict[str, Any] = {
    **_PLAIN,
    "agent": None,
    "properties": {},
    "tags": (),
    "source_ids": {},
}


def split(conversation: Conversation) -> list[Event]:
    """The events that a conversation may have come from, in order.

    First, when there is anything to say of the whole, a `Step` of type ``session``; then one `ModelCall` for each
    assistant message, with the transcript before it as input; one for each message that carries a failed call; one
    without an answer when messages follow the last answer; and one `ToolRun` for each tool run, and for each call
    and result in the messages that has none. Ids are those of the events where they are known, else derived. Events
    of a conversation without a session get its id as their session, which keeps them together.

    For a conversation that `assemble` made, ``assemble(split(c))`` gives one conversation with the same messages:
    order, ids, roles, parts, times, agents, generations; and the same tool runs, title, properties, metrics,
    feedback and visibility. What differs: a conversation without a session has one then, and ``segment`` is 0; an
    answer without a generation has one that names its call; a question without a time has that of the call which
    answers it; with only one agent or person in the conversation, messages that named none name that one.
    """
    maker = _Splitter(conversation)
    return [*maker.session(), *maker.steps()]


class _Splitter:
    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.scope = conversation.session or conversation.id
        self.used: set[str] = set()
        self.shared: dict[str, Any] = {
            "session": self.scope,
            "trace_id": conversation.trace_id,
            "source": conversation.source,
        }

    def session(self) -> Iterator[Step]:
        conversation = self.conversation
        extra = dict(conversation.extra)
        own = extra.pop(OURS, None)
        said: dict[str, Any] = {
            "name": conversation.title,
            "agent": next(iter(conversation.agents), None),
            "person": next(iter(conversation.people), None),
            "properties": conversation.properties,
            "metrics": conversation.metrics,
            "feedback": conversation.feedback,
            "tags": conversation.tags,
            "source_ids": conversation.source_ids,
            "flags": conversation.flags,
            "extra": {**extra, **self._beyond_a_step()},
            **_session_fields(own),
        }
        if any(said.values()):
            times = {"started_at": conversation.started_at, "ended_at": conversation.ended_at}
            own_id = self._unique(None, "session")
            yield Step(id=own_id, step_type=SESSION, **self.shared, **times, **said)

    def _beyond_a_step(self) -> dict[str, Any]:
        conversation = self.conversation
        beyond = {
            "visibility": conversation.visibility,
            "agents": [agent.to_json() for agent in conversation.agents[1:]],
            "people": [person.to_json() for person in conversation.people[1:]],
        }
        beyond = {name: value for name, value in beyond.items() if value}
        return {OURS: beyond} if beyond else {}

    def steps(self) -> Iterator[Event]:
        messages = self.conversation.messages
        # What the events say of themselves need not be said of their messages again.
        sole = _only(self.conversation.people)
        plain = [
            _unsaid(message, {"person": sole if is_heard(message) else None}).model_copy(
                update=_PLAIN
            )
            for message in messages
        ]
        runs = _Runs(self.conversation.tool_runs, messages)
        told = 0  # messages that stand in some call by now
        for i, message in enumerate(messages):
            for run in (*runs.before(message), *runs.of(message)):
                yield self._placed(run)
            for result, call in _pairs(message, messages[:i]):
                if not runs.has(result.call_id):
                    yield self._derived_run(message, result, call)
            if _is_answer(message):
                yield self._call(message, plain[:i], answer=True)
                told = i + 1
            elif message.generation is not None and message.generation.error is not None:
                yield self._call(message, plain[: i + 1], answer=False)
                told = i + 1
        if told < len(messages):
            yield self._unanswered(plain)
        for run in runs.rest():
            yield self._placed(run)

    def _call(self, message: Message, history: Sequence[Message], *, answer: bool) -> ModelCall:
        made = message.generation or Generation()
        properties = dict(message.properties) if answer else {}
        scores = {name: properties.pop(name) for name in _SCORES if _is_object(properties, name)}
        started = made.started_at or (message.started_at if answer else None)
        ended = made.ended_at or (message.ended_at if answer else None)
        said = {"started_at": started, "ended_at": ended}
        choice = Choice(
            message=_unsaid(message, said).model_copy(update=_MOVED),
            finish_reason=made.finish_reason,
            finish_reason_raw=made.finish_reason_raw,
        )
        return ModelCall(
            id=self._unique(made.event, "model_call", message.id or str(len(history))),
            **self.shared,
            agent=(message.agent if answer else None) or _only(self.conversation.agents),
            person=self._person(history),
            started_at=started,
            ended_at=ended,
            first_token_at=made.first_token_at,
            error=made.error,
            properties=properties,
            **scores,
            tags=message.tags if answer else (),
            source_ids=message.source_ids if answer else {},
            provider=made.provider,
            model=made.model,
            response_model=made.response_model,
            parameters=made.parameters,
            input=tuple(history),
            choices=(choice,) if answer else (),
            usage=made.usage,
            cost=made.cost,
        )

    def _unanswered(self, messages: Sequence[Message]) -> ModelCall:
        return ModelCall(
            id=self._unique(None, "unanswered", str(len(messages))),
            **self.shared,
            agent=_only(self.conversation.agents),
            person=self._person(messages),
            started_at=messages[-1].ended_at or messages[-1].started_at,
            input=tuple(messages),
            flags=(UNANSWERED,),
        )

    def _person(self, history: Sequence[Message]) -> Any:
        said = (message.person for message in reversed(history) if message.person is not None)
        return next(said, None) or _only(self.conversation.people)

    def _derived_run(self, message: Message, result: ToolResultPart, call: ToolCallPart) -> ToolRun:
        answer = _answer(result)
        failed = result.is_error is True
        return ToolRun(
            id=self._unique(None, "tool_run", message.id or "", call.id or ""),
            **self.shared,
            name=call.name,
            agent=_only(self.conversation.agents),
            started_at=message.started_at,
            ended_at=message.ended_at,
            call_id=call.id,
            arguments=call.arguments if call.arguments is not None else call.arguments_text,
            result=answer,
            error=ErrorInfo(message=answer if isinstance(answer, str) else "") if failed else None,
            flags=(FROM_MESSAGES,),
        )

    def _placed(self, run: ToolRun) -> ToolRun:
        known = {name: value for name, value in self.shared.items() if value is not None}
        missing = {name: value for name, value in known.items() if getattr(run, name) is None}
        own_id = self._unique(run.id, "tool_run", run.id)
        return run.model_copy(update={**missing, "id": own_id, "session": self.scope})

    def _unique(self, own: str | None, *names: str) -> str:
        number = 0
        while own is None or own in self.used:  # two messages or runs may claim one id
            own = derive_id("split", self.scope, *names, *([str(number)] if number else []))
            number += 1
        self.used.add(own)
        return own


class _Runs:
    """The tool runs of a conversation, handed out once each: at the result that they led to, else by time."""

    def __init__(self, runs: Iterable[ToolRun], messages: Iterable[Message]) -> None:
        paired = {call_id for message in messages for call_id in _result_ids(message)}
        self._paired: dict[str, list[ToolRun]] = {}
        self._others: deque[ToolRun] = deque()
        for run in runs:
            if run.call_id in paired:
                self._paired.setdefault(run.call_id or "", []).append(run)
            else:
                self._others.append(run)
        self._recorded = set(self._paired)

    def has(self, call_id: str | None) -> bool:
        return call_id in self._recorded

    def of(self, message: Message) -> list[ToolRun]:
        return [run for call_id in _result_ids(message) for run in self._paired.pop(call_id, [])]

    def before(self, message: Message) -> Iterator[ToolRun]:
        said = message.started_at
        while said and self._others and (begun := self._others[0].started_at) and begun <= said:
            yield self._others.popleft()

    def rest(self) -> list[ToolRun]:
        return list(self._others)


def _result_ids(message: Message) -> list[str]:
    results = (part for part in message.parts if isinstance(part, ToolResultPart))
    return [part.call_id for part in results if part.call_id is not None]


def _session_fields(own: Any) -> dict[str, Any]:
    if not isinstance(own, dict):
        return {}
    return {k: own[k] for k in ("inputs", "outputs", "config", "error") if own.get(k)}


def _unsaid(message: Message, said: Mapping[str, Any]) -> Message:
    """The message without the fields that are ``said`` elsewhere with the same value."""
    again = {
        name: None
        for name, value in said.items()
        if value is not None and getattr(message, name) == value
    }
    return message.model_copy(update=again) if again else message


def _is_object(properties: Mapping[str, Any], name: str) -> bool:
    return isinstance(properties.get(name), dict) and bool(properties[name])


def _is_answer(message: Message) -> bool:
    if message.role == "assistant":
        return True
    made = message.generation
    return made is not None and made.error is None and message.role not in ("system", "developer")


def _pairs(
    message: Message, before: Sequence[Message]
) -> Iterator[tuple[ToolResultPart, ToolCallPart]]:
    for part in message.parts:
        if isinstance(part, ToolResultPart) and part.call_id is not None:
            calls = (call for m in reversed(before) for call in m.tool_calls)
            call = next((call for call in calls if call.id == part.call_id), None)
            if call is not None:
                yield part, call


def _answer(result: ToolResultPart) -> Any:
    if not result.parts:
        return result.result
    if all(isinstance(part, TextPart) for part in result.parts):
        return "".join(part.text for part in result.parts if isinstance(part, TextPart))
    return [part.to_json() for part in result.parts]


def _only(listed: Sequence[Any]) -> Any:
    return listed[0] if len(listed) == 1 else None
