"""Folds model calls, in order of time, into one transcript in which each message stands once.

Each call repeats (some of) the history. How a call's messages relate to what is known decides what it adds:

- it begins with the end of the transcript: a growing history, or a window of it. What follows is new.
- it and its answer stand in the transcript already: a late or repeated record. It adds what it knows about them.
- it shares a start with the transcript and then differs: an edited or regenerated turn. The newest wins.
- it shares nothing: the application sends only the new turn. All of it is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from llmtee.assembly._align import longest_run, overlap
from llmtee.assembly._identity import identity
from llmtee.model import Generation, Message, ModelCall, ToolResultPart

_PROMPTS = ("system", "developer")
_ANSWER = "assistant\x1f"


class Transcript:
    """The messages so far. Used within one assembly and never shared."""

    def __init__(self) -> None:
        self.prompt: list[Message] = []
        """The leading system and developer messages: those of the newest call that has any."""
        self.messages: list[Message] = []
        self.flags: dict[str, int] = {}
        """What happened on the way, with how often."""
        self._keys: list[str] = []
        self._shelf: dict[str, Message] = {}
        self._agent: str | None = None
        self._only_new_turns = False

    def all(self) -> list[Message]:
        """The prompt and the messages."""
        return [*self.prompt, *self.messages]

    def add(self, call: ModelCall) -> None:
        """Folds in one call that is no older than those before it."""
        replies = [reply_of(call, choice.message) for choice in call.choices]
        failed = call.error is not None and not any(reply.parts for reply in replies[:1])
        self._fold(call, None if failed or not replies else replies[0])
        self._put_aside(replies[1:])

    def note_side_call(self, call: ModelCall) -> None:
        """Remembers a call that is no turn of this conversation, such as a tool's own."""
        self._flag("side_calls")
        self._put_aside(reply_of(call, choice.message) for choice in call.choices)

    def _put_aside(self, messages: Iterable[Message]) -> None:
        """Remembers messages that do not stand in the transcript, in case the application goes on with one."""
        self._shelf.update((identity(message), message) for message in messages)

    def _fold(self, call: ModelCall, reply: Message | None) -> None:
        prompt, seen = leading_prompt(call.input)
        keys = [identity(message) for message in seen]
        reply_key = None if reply is None else identity(reply)
        if self._stands_already(call, keys, reply_key):
            self.prompt = self.prompt or prompt
            self._learn(call, 0, seen, reply)
            return
        start, shared = self._place(call, keys)
        end = start + shared
        if end < len(self._keys) and shared == len(keys):
            if reply_key is None or self._keys[end] == reply_key:
                self._learn(call, start, seen, reply)
                return
            if self._is_aside(call, prompt):
                self._flag("side_calls")
                self._put_aside([reply] if reply else [])
                return
        superseded = self._cut(end)
        self._set_prompt(prompt)
        self._agent = call.agent.name if call.agent else self._agent
        self._append(call, list(zip(seen, keys, strict=True)), shared, superseded)
        if reply is not None and reply_key is not None:
            self._push(reply_key, reply)
        elif call.error is not None:
            self._fail(len(self.messages), call)

    def _stands_already(self, call: ModelCall, keys: list[str], reply: str | None) -> bool:
        """Whether the transcript begins with this call's input and answer, known only from later histories."""
        end = len(keys)
        if self._keys[:end] != keys:
            return False
        if reply is None:
            return end == 0 or (end < len(self._keys) and not self._is_new_turn(call))
        if end == len(self._keys) or self._keys[end] != reply:
            return False
        generation = self.messages[end].generation
        return generation is None or generation.event == call.id

    def _place(self, call: ModelCall, keys: list[str]) -> tuple[int, int]:
        """Where in the transcript the call's history stands, and how many of its messages are no news."""
        total = len(self._keys)
        shared = overlap(self._keys, keys)
        if shared or not total or not keys:
            return total - shared, shared
        start, length = longest_run(self._keys, keys) if keys[0] in self._keys else (0, 0)
        if length and self._is_evidence(call, start, keys[:length]):
            return start, length
        if self._keys[-1].startswith(_ANSWER) and self._keys[-1] in keys:
            # What stands before our last answer was rewritten, as by a summary; what follows it is new.
            return total, len(keys) - keys[::-1].index(self._keys[-1])
        self._only_new_turns = True
        return total, 0

    def _is_evidence(self, call: ModelCall, start: int, shared: Sequence[str]) -> bool:
        """Whether messages that stand here and there are the same ones, and not said twice (``yes``, ``go on``)."""
        if any(key.startswith(_ANSWER) for key in shared):
            return True
        return start == 0 and not self._is_new_turn(call)

    def _is_new_turn(self, call: ModelCall) -> bool:
        return self._only_new_turns or "history_incomplete" in call.flags

    def _is_aside(self, call: ModelCall, prompt: Sequence[Message]) -> bool:
        """Whether another agent or another prompt was asked about the same turn: for a title, a check, a label."""
        agent = call.agent.name if call.agent else None
        if None not in (agent, self._agent) and agent != self._agent:
            return True
        return bool(prompt) and not _same(prompt, self.prompt)

    def _append(
        self,
        call: ModelCall,
        history: Sequence[tuple[Message, str]],
        shared: int,
        superseded: Sequence[Message],
    ) -> None:
        turn = _turn_start([message for message, _ in history])
        for i, (message, key) in enumerate(history[shared:], shared):
            if i >= turn:
                self._push(key, _heard(call, message, newest=True))
            elif key in self._shelf:
                self._push(key, self._shelf.pop(key))
            elif i == shared and _is_one_answer(superseded) and message.role == "assistant":
                # Our last answer as the application wrote it back, say without its <think> block.
                self._push(key, _reworded(superseded[-1], message))
            else:
                self._push(key, _heard(call, message, newest=False))

    def _push(self, key: str, message: Message) -> None:
        self.messages.append(message)
        self._keys.append(key)

    def _learn(
        self, call: ModelCall, start: int, seen: Sequence[Message], reply: Message | None
    ) -> None:
        """Adds what a call knows about messages that stand already."""
        end, turn = start + len(seen), _turn_start(seen)
        for i in range(turn, len(seen)):
            old = self.messages[start + i]
            self.messages[start + i] = _heard(call, old, newest=True)
        if reply is not None:
            self.messages[end] = reply
        elif call.error is not None:
            self._fail(end, call)

    def _fail(self, end: int, call: ModelCall) -> None:
        """Puts a failed call on the message that it left unanswered."""
        self._flag("failed_calls")
        messages, place = (self.messages, end - 1) if end else (self.prompt, len(self.prompt) - 1)
        if place >= 0 and messages[place].role != "assistant":
            failed = {"generation": generation_of(call, None)}
            messages[place] = messages[place].model_copy(update=failed)

    def _cut(self, length: int) -> list[Message]:
        superseded = self.messages[length:]
        if superseded:
            self._flag("superseded_messages", len(superseded))
            self._put_aside(superseded)
        del self.messages[length:], self._keys[length:]
        return superseded

    def _set_prompt(self, prompt: Sequence[Message]) -> None:
        if not prompt or _same(prompt, self.prompt):
            return
        if self.prompt:
            self._flag("prompt_changes")
        self.prompt = list(prompt)

    def _flag(self, name: str, count: int = 1) -> None:
        self.flags[name] = self.flags.get(name, 0) + count


def leading_prompt(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """The system and developer messages at the start, and the rest."""
    count = 0
    while count < len(messages) and messages[count].role in _PROMPTS:
        count += 1
    return list(messages[:count]), list(messages[count:])


def reply_of(call: ModelCall, message: Message) -> Message:
    """An answer as it stands in a conversation, with what is known of its making."""
    learned: dict[str, Any] = {
        "started_at": message.started_at or call.started_at,
        "ended_at": message.ended_at or call.ended_at,
        "agent": message.agent or call.agent,
        "properties": {**_scores(call), **call.properties, **message.properties},
        "tags": tuple(dict.fromkeys((*call.tags, *message.tags))),
        "source_ids": {**call.source_ids, **message.source_ids},
        "generation": generation_of(call, message),
    }
    return message.model_copy(update=learned)


def _scores(call: ModelCall) -> dict[str, Any]:
    """Metrics and feedback of a call, for which a message has no fields of its own."""
    scores = {"metrics": call.metrics, "feedback": call.feedback}
    return {name: value for name, value in scores.items() if value}


def generation_of(call: ModelCall, message: Message | None) -> Generation:
    """What a conversation keeps of a call; ``message`` is the answer, if there was one."""
    choice = next((choice for choice in call.choices if choice.message is message), None)
    return Generation(
        event=call.id,
        provider=call.provider,
        model=call.model,
        response_model=call.response_model,
        parameters=call.parameters,
        finish_reason=choice.finish_reason if choice else None,
        finish_reason_raw=choice.finish_reason_raw if choice else None,
        usage=call.usage,
        cost=call.cost,
        started_at=call.started_at,
        ended_at=call.ended_at,
        first_token_at=call.first_token_at,
        error=call.error,
    )


def _heard(call: ModelCall, message: Message, *, newest: bool) -> Message:
    """A message of a call's input as it stands in a conversation."""
    learned: dict[str, Any] = {}
    if newest and message.started_at is None and message.ended_at is None:
        learned["started_at"] = call.started_at
    if message.person is None and is_heard(message):
        learned["person"] = call.person
    return message.model_copy(update=learned) if learned else message


def is_heard(message: Message) -> bool:
    """Whether the person speaks, and not a tool, which at some providers has the role ``user`` too."""
    results = any(isinstance(part, ToolResultPart) for part in message.parts)
    return message.role == "user" and not results


def _is_one_answer(messages: Sequence[Message]) -> bool:
    """Whether the messages are an answer: in one, or in what was put into the model's mouth and the rest."""
    return bool(messages) and all(message.role == "assistant" for message in messages)


def _reworded(answer: Message, written_back: Message) -> Message:
    return answer.model_copy(update={"parts": written_back.parts, "extra": written_back.extra})


def _turn_start(messages: Sequence[Message]) -> int:
    """Where the newest turn begins: what stands after the last answer."""
    answers = [i for i, message in enumerate(messages) if message.role == "assistant"]
    return answers[-1] + 1 if answers else 0


def _same(left: Sequence[Message], right: Sequence[Message]) -> bool:
    return [identity(message) for message in left] == [identity(message) for message in right]
