"""The calls and tool runs behind a transcript and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmtee.assembly._calls import PROMPTS, is_heard
from llmtee.assembly._runs import Runs, answer_of, pairs
from llmtee.assembly._whole import FROM_MESSAGES
from llmtee.model import (
    Agent,
    Branch,
    Choice,
    Conversation,
    ErrorInfo,
    Event,
    Generation,
    Message,
    ModelCall,
    Person,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
)
from llmtee.model.ids import derive_id

UNANSWERED = "unanswered"
"""Flag of the call that `split` makes from messages after the last answer."""

_SCORES = ("metrics", "feedback")
"""Properties of an answer in which `assemble` keeps what the call has fields for."""

_MOVED: dict[str, Any] = {
    "generation": None,
    "agent": None,
    "properties": {},
    "tags": (),
    "source_ids": {},
}


class Splitter:
    """Makes the events of one conversation, each with an id of its own."""

    def __init__(self, conversation: Conversation, *, assembled: bool) -> None:
        self.conversation = conversation
        self.assembled = assembled
        """Whether its tool runs were recorded as events, so that nothing need be added to them."""
        self.scope = conversation.session or conversation.id
        self.shared: dict[str, Any] = {
            "session": self.scope,
            "trace_id": conversation.trace_id,
            "source": conversation.source,
        }
        self._used: set[str] = set()
        self._sole_agent: Agent | None = _only(conversation.agents)
        self._sole_person: Person | None = _only(conversation.people)
        messages = conversation.messages
        self._prompt_size = next(
            (i for i, message in enumerate(messages) if message.role not in PROMPTS), len(messages)
        )
        # What the events say of themselves need not be said of their messages again.
        self._plain = [self._as_input(message) for message in messages]
        self._place = {message.id: i for i, message in enumerate(messages)}
        self._choices: dict[str, list[Message]] = {}
        self._reworded: dict[str, Message] = {}
        self._prompts: list[tuple[int, list[Message]]] = []
        self._beside: dict[str | None, list[Branch]] = {}
        answered = {m.generation.event for m in messages if m.generation and _is_answer(m)}
        for branch in conversation.branches:
            self._sort_in(branch, answered)

    def _sort_in(self, branch: Branch, answered: set[str | None]) -> None:
        """Notes where a branch is told: in the call of its sibling, in all calls up to a place, or in its own."""
        made = branch.messages[-1].generation if branch.messages else None
        event = made.event if made else None
        told = event in answered and len(branch.messages) == 1
        if told and event and branch.reason == "choice":
            self._choices.setdefault(event, []).append(branch.messages[0])
        elif told and event and branch.reason == "reworded":
            self._reworded[event] = branch.messages[0]
        elif branch.reason == "prompt" and branch.after in self._place:
            prompt = [self._as_input(message) for message in branch.messages]
            self._prompts.append((self._place[branch.after], prompt))
        else:
            self._beside.setdefault(branch.after, []).append(branch)

    def events(self) -> Iterator[Event]:
        """All calls and tool runs, those beside the transcript where they left it."""
        messages = self.conversation.messages
        runs = Runs(self.conversation.tool_runs, messages)
        told = 0  # messages that stand in some call by now
        yield from self._leaving(None, [], 0)
        for i, message in enumerate(messages):
            for run in (*runs.before(message), *runs.of(message)):
                yield self._placed(run)
            for result, call in pairs(message, messages[:i]):
                if not runs.has(result.call_id):
                    yield self._derived_run(message, result, call)
            if _is_answer(message):
                yield self._call(message, self._told(i, i), answer=True)
                told = i + 1
            elif message.generation is not None and message.generation.error is not None:
                yield self._call(message, self._told(i + 1, i), answer=False)
                told = i + 1
            if message.id in self._beside:
                body = self._plain[self._prompt_size : i + 1]
                yield from self._leaving(message.id, body, i)
        if told < len(messages):
            yield self._unanswered(self._plain)
        for run in runs.rest():
            yield self._placed(run)
        for after in list(self._beside):
            yield from self._leaving(after, [], len(messages))

    def _told(self, count: int, place: int) -> list[Message]:
        """The first ``count`` messages, with the prompt that held when the one at ``place`` was answered."""
        history = self._plain[self._prompt_size : count]
        return (
            [*self._prompt_at(place), *history]
            if count >= self._prompt_size
            else self._plain[:count]
        )

    def _prompt_at(self, place: int) -> list[Message]:
        until = (prompt for last, prompt in self._prompts if place <= last)
        return next(until, self._plain[: self._prompt_size])

    # Beside the transcript

    def _leaving(self, after: str | None, body: list[Message], place: int) -> Iterator[ModelCall]:
        """The calls of the branches that leave after a message, and of those that leave them in turn."""
        for branch in self._beside.pop(after, ()):
            yield from self._branch(branch, body, place)

    def _branch(self, branch: Branch, body: list[Message], place: int) -> Iterator[ModelCall]:
        plain = [self._as_input(message) for message in branch.messages]
        own = 0
        while branch.reason == "side_call" and own < len(plain) and plain[own].role in PROMPTS:
            own += 1
        prompt = plain[:own] or ([] if branch.detached else self._prompt_at(place + 1))
        before = [*prompt, *([] if branch.detached else body)]
        said = {"parent": branch.parent} if branch.parent else {}
        told = own
        for i, message in enumerate(branch.messages):
            history = [*before, *plain[own:i]]
            if _is_answer(message):
                yield self._call(message, history, answer=True, agent=branch.agent, **said)
                told = i + 1
            elif message.generation is not None and message.generation.error is not None:
                history.append(plain[i])
                yield self._call(message, history, answer=False, agent=branch.agent, **said)
                told = i + 1
            yield from self._leaving(
                message.id, [*([] if branch.detached else body), *plain[own : i + 1]], place
            )
        if told < len(plain):
            yield self._unanswered([*before, *plain[own:]], agent=branch.agent, **said)

    # Events

    def _as_input(self, message: Message) -> Message:
        person = self._sole_person if is_heard(message) else None
        return _unsaid(message, {"person": person}).model_copy(update={"generation": None})

    def _call(
        self,
        message: Message,
        history: Sequence[Message],
        *,
        answer: bool,
        agent: Agent | None = None,
        **more: Any,
    ) -> ModelCall:
        made = message.generation or Generation()
        properties = dict(message.properties) if answer else {}
        scores = {name: properties.pop(name) for name in _SCORES if _is_object(properties, name)}
        started = made.started_at or (message.started_at if answer else None)
        ended = made.ended_at or (message.ended_at if answer else None)
        choices = []
        if answer:
            said = self._reworded.pop(made.event or "", None)
            worded = (
                message
                if said is None
                else message.model_copy(update={"parts": said.parts, "extra": said.extra})
            )
            further = self._choices.pop(made.event or "", [])
            choices = [_choice(one, started, ended) for one in (worded, *further)]
        own_agent = (message.agent if answer else None) or agent or self._sole_agent
        return ModelCall(
            id=self.unique(made.event, "model_call", message.id or str(len(history))),
            **self.shared,
            **more,
            agent=own_agent,
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
            choices=tuple(choices),
            usage=made.usage,
            cost=made.cost,
        )

    def _unanswered(
        self, messages: Sequence[Message], agent: Agent | None = None, **more: Any
    ) -> ModelCall:
        return ModelCall(
            id=self.unique(None, "unanswered", str(len(messages))),
            **self.shared,
            **more,
            agent=agent or self._sole_agent,
            person=self._person(messages),
            started_at=messages[-1].ended_at or messages[-1].started_at,
            input=tuple(messages),
            flags=(UNANSWERED,),
        )

    def _person(self, history: Sequence[Message]) -> Any:
        said = (message.person for message in reversed(history) if message.person is not None)
        return next(said, None) or self._sole_person

    def _derived_run(self, message: Message, result: ToolResultPart, call: ToolCallPart) -> ToolRun:
        answer = answer_of(result)
        failed = result.is_error is True
        return ToolRun(
            id=self.unique(None, "tool_run", message.id or "", call.id or ""),
            **self.shared,
            name=call.name,
            agent=self._sole_agent,
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
        update = {**({} if self.assembled else missing), "session": self.scope}
        return run.model_copy(update={**update, "id": self.unique(run.id, "tool_run", run.id)})

    def unique(self, own: str | None, *names: str) -> str:
        """``own`` unless another event has it, else an id that follows from the conversation and ``names``."""
        number = 0
        while own is None or own in self._used:  # two messages or runs may claim one id
            own = derive_id("split", self.scope, *names, *([str(number)] if number else []))
            number += 1
        self._used.add(own)
        return own


def _choice(message: Message, started: Any, ended: Any) -> Choice:
    made = message.generation or Generation()
    said = {"started_at": started, "ended_at": ended}
    return Choice(
        message=_unsaid(message, said).model_copy(update=_MOVED),
        finish_reason=made.finish_reason,
        finish_reason_raw=made.finish_reason_raw,
    )


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
    return made is not None and made.error is None and message.role not in PROMPTS


def _only(listed: Iterable[Any]) -> Any:
    found = list(listed)
    return found[0] if len(found) == 1 else None
