"""The state of one session: what was read of its events, and the conversation that follows from it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Any

from llmtee.assembly._calls import Call, Order, Said, order, read_call, weight_of, weight_of_call
from llmtee.assembly._fold import Fold
from llmtee.assembly._histories import ROOT, Histories
from llmtee.assembly._parents import Parents
from llmtee.assembly._whole import conversation_of
from llmtee.errors import UsageError
from llmtee.model import (
    Conversation,
    Event,
    Message,
    ModelCall,
    Step,
    ToolRun,
    conversation_id,
    load_event,
)
from llmtee.model.ids import derive_id

VERSION = 1
"""Of the form that `Session.to_json` writes."""


class Session:
    """The events of one session as they come in, in any order, each any number of times.

    `absorb` costs what the event is long; a model call that repeats 2,000 messages stores what is new in it.
    `conversation` folds in what came since the last time. An event that is older than what was folded takes back what
    comes after it, and only that is folded again.

    A session is a plain value: `to_json` and `from_json` store and resume it between any two events, and it can be
    pickled. `absorb` changes it in place and never the event; take a copy with ``Session.from_json(s.to_json())``.

    Args:
        session: the name that the events have in their ``session``; ``None`` for a single event without one, which
            makes a conversation of its own.
    """

    def __init__(self, session: str | None = None) -> None:
        self.session = session
        self._histories = Histories()
        self._calls: dict[str, Call] = {}
        self._order: list[Order] = []
        self._others: dict[str, ToolRun | Step] = {}
        self._parents = Parents()
        self._fold: Fold | None = None
        self._marks: list[int] = []
        self._by_link = True
        self.folded = 0
        """How many calls were folded so far, those again that a late event took back."""

    def __len__(self) -> int:
        """How many events it knows."""
        return len(self._calls) + len(self._others)

    @property
    def work(self) -> dict[str, int]:
        """What was done so far: messages read, identities computed, steps walked in the tree, calls folded."""
        tree = self._histories
        return {
            "read": tree.read,
            "identified": tree.identified,
            "visited": tree.visited,
            "folded": self.folded,
        }

    def absorb(self, event: Event) -> None:
        """Takes in one event. Of two records under one id the fuller counts, whichever comes first.

        Raises:
            UsageError: the event belongs to another session, or is a second one without a session.
        """
        self._check(event)
        call = read_call(event, self._histories) if isinstance(event, ModelCall) else None
        known = self._calls.get(event.id) or self._others.get(event.id)
        if known is not None and not self._says_more(event, call, known):
            return
        self._forget(event.id)
        if call is not None:
            self._calls[event.id] = call
            self._rewind(call.order)
            insort(self._order, call.order)
        elif not isinstance(event, ModelCall):
            self._others[event.id] = event
        for changed in self._parents.add(event):
            if changed in self._calls:
                self._rewind(self._calls[changed].order)

    def _says_more(self, event: Event, call: Call | None, known: Call | ToolRun | Step) -> bool:
        if known in (event, call):
            return False
        old = (
            weight_of_call(known, self._histories) if isinstance(known, Call) else weight_of(known)
        )
        return weight_of(event) > old

    def _check(self, event: Event) -> None:
        if event.session != self.session:
            raise UsageError(
                f"event {event.id!r} is of session {event.session!r}, not {self.session!r};"
                " keep one Session for each session, or use assemble()"
            )
        if self.session is None and len(self) and event.id not in (*self._calls, *self._others):
            raise UsageError(
                f"event {event.id!r} has no session, so it makes a conversation of its own;"
                " use a new Session, or set its session"
            )

    def _forget(self, event: str) -> None:
        self._others.pop(event, None)
        call = self._calls.pop(event, None)
        if call is not None:
            self._rewind(call.order)
            del self._order[bisect_left(self._order, call.order)]

    def _rewind(self, place: Order) -> None:
        """Takes back what was folded from there on."""
        index = bisect_left(self._order, place)
        if self._fold is not None and index < len(self._marks):
            self._fold.journal.back(self._marks[index])
            del self._marks[index:]

    # What comes of it

    def conversation(self) -> Conversation:
        """The conversation as it stands now.

        Raises:
            UsageError: no event was absorbed.
        """
        if not len(self):
            raise UsageError("the session has no events yet, so there is no conversation")
        fold = self._folded()
        events = sorted(
            [*(call.event for call in self._calls.values()), *self._others.values()],
            key=lambda event: (
                self._calls[event.id].order if event.id in self._calls else order(event)
            ),
        )
        return conversation_of(events, self._own_id(), fold, self._is_within)

    def _is_within(self, run: ToolRun) -> bool:
        """Whether a run is of the transcript, and not of a sub-agent."""
        return not self._by_link or self._parents.owner(run.id) is None

    def _own_id(self) -> str:
        if self.session is not None:
            return conversation_id(self.session)
        return derive_id("conversation", "event", *self._calls, *self._others)

    def _folded(self) -> Fold:
        """The fold of all calls: goes on where it stands."""
        owners = [self._parents.owner(place[3]) for place in self._order]
        by_link = None in owners
        if self._fold is None or by_link != self._by_link:
            # Where every call is a step of something else, the links do not tell which is the conversation.
            scope = self.session if self.session is not None else self._own_id()
            self._fold, self._marks, self._by_link = Fold(self._histories, scope), [], by_link
        for place, owner in list(zip(self._order, owners, strict=True))[len(self._marks) :]:
            self._marks.append(self._fold.journal.mark())
            self._fold.add(self._calls[place[3]], owner if by_link else None)
            self.folded += 1
        return self._fold

    # Storing

    def to_json(self) -> dict[str, Any]:
        """The session as a JSON object, read by `from_json`.

        Each message stands in it once, and what each call repeats as a place in a tree. Sessions with the same events
        have the same object, whatever the order in which they came.
        """
        messages: dict[int, int] = {}
        histories: dict[int, int] = {ROOT: ROOT}
        steps: list[int] = []
        calls = []
        for place in self._order:
            call = self._calls[place[3]]
            calls.append(
                {
                    "event": call.event.to_json(),
                    "prompt": self._store(call.prompt, histories, messages, steps),
                    "history": self._store(call.history, histories, messages, steps),
                    "said": [
                        [messages.setdefault(said.message, len(messages)), *said[1:]]
                        for said in call.said
                    ],
                }
            )
        others = sorted(self._others.values(), key=order)
        return {
            "version": VERSION,
            "session": self.session,
            "messages": [self._histories.messages[number].to_json() for number in messages],
            "histories": steps,
            "calls": calls,
            "events": [event.to_json() for event in others],
        }

    def _store(
        self, history: int, known: dict[int, int], messages: dict[int, int], steps: list[int]
    ) -> int:
        """The number of a history in what is stored; what is not there yet is added."""
        tree, missing = self._histories, []
        while history not in known:
            missing.append(history)
            history = tree.parents[history]
        for new in reversed(missing):
            steps += [
                known[tree.parents[new]],
                messages.setdefault(tree.steps[new], len(messages)),
            ]
            known[new] = len(known)
        return known[missing[0] if missing else history]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Session:
        """The session that `to_json` wrote.

        Raises:
            UsageError: it was written by another version, or is no session.
        """
        version = stored.get("version")
        if version != VERSION:
            raise UsageError(
                f"a stored session has version {version!r}, and this llmtee reads {VERSION};"
                " assemble it anew from its events"
            )
        session = cls(stored["session"])
        tree = session._histories
        messages = [tree.number(Message.model_validate(message)) for message in stored["messages"]]
        histories, steps = [ROOT], stored["histories"]
        for parent, message in zip(steps[::2], steps[1::2], strict=True):
            histories.append(tree.after(histories[parent], messages[message]))
        for row in stored["calls"]:
            event = ModelCall.model_validate(row["event"])
            prompt, history = histories[row["prompt"]], histories[row["history"]]
            said = tuple(Said(messages[number], *reasons) for number, *reasons in row["said"])
            size = sum(tree.depth[tree.paths[place]] for place in (prompt, history))
            call = Call(event, prompt, history, said, size)
            session._calls[event.id] = call
            session._order.append(call.order)
            session._parents.add(event)
        for row in stored["events"]:
            other = load_event(row)
            if not isinstance(other, ModelCall):
                session._others[other.id] = other
                session._parents.add(other)
        tree.read = tree.identified = tree.visited = 0
        return session
