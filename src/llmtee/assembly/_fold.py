"""Folds the calls of a session, in order, into the transcript and what stands beside it.

Which thread a call belongs to is decided in this order:

1. by its parents: what a tool run or another call made, or an agent's step within another agent's step, is a side call.
2. by what it continues: a call that repeats the whole of a thread and goes on belongs to it; the longest counts.
3. by agent: another agent that would supersede what stands, or has nothing in common with it, has its own thread.
4. by prompt: the same, for another system prompt about the same turn, or while the transcript waits for a tool.
5. else it is a turn of the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from llmtee.assembly._calls import Call, is_heard, reply_of
from llmtee.assembly._histories import ROOT, Histories
from llmtee.assembly._journal import Journal
from llmtee.assembly._spot import INCOMPLETE, Entry, Reply, Spot
from llmtee.assembly._thread import Thread
from llmtee.model import Agent, Branch, Message

Owner: TypeAlias = str | None
"""Id of the event that a side call is a step of."""


@dataclass(slots=True, eq=False)
class Fork:
    """Messages that left the transcript or stand beside it, before it is settled which of them came back."""

    reason: str
    after: str | None
    entries: list[Entry] = field(default_factory=list)
    thread: Thread | None = None
    """The thread of side calls, whose entries these are."""
    detached: bool = False
    agent: Agent | None = None
    parent: Owner = None


class Fold:
    """The state of a fold. Derived from the calls alone; every change goes through the journal."""

    def __init__(self, histories: Histories, scope: str) -> None:
        self.histories = histories
        self.scope = scope
        self.journal = Journal()
        self.main: Thread | None = None
        self.flags: dict[str, int] = {}
        """What happened on the way, with how often."""
        self._forks: list[Fork] = []
        self.taken: dict[str, bool] = {}
        """Ids that messages have, here or beside the transcript."""
        # Side threads, by owner and: the path of the whole; who speaks there (the latest one).
        self._by_path: dict[tuple[Owner, int], Thread] = {}
        self._by_voice: dict[tuple[Owner, str | int], Thread] = {}

    def add(self, call: Call, owner: Owner) -> None:
        """Folds in one call that is no older than those before it."""
        replies = [
            Reply(self.histories.keys[said.message], self._reply(call, i))
            for i, said in enumerate(call.said)
        ]
        failed = call.event.error is not None and not any(r.message.parts for r in replies[:1])
        reply = None if failed or not replies else replies[0]
        thread, spot = self._thread(call, owner, reply)
        before = thread.path
        place = thread.add(call, reply, spot)
        if thread is not self.main:
            self.flag("side_calls")
            self._index(thread, owner, before)
        for further in replies[1:]:
            entry = thread.entry(further.key, further.message)
            thread.put_aside(entry)
            self.left("choice", thread.before(place), [entry])

    def _reply(self, call: Call, i: int) -> Message:
        message = self.histories.messages[call.said[i].message]
        return reply_of(call.event, message, call.said[i])

    # What threads ask of it

    def flag(self, name: str, count: int = 1) -> None:
        """Counts something that happened."""
        self.journal.put(self.flags, name, self.flags.get(name, 0) + count)

    def left(self, reason: str, after: str | None, entries: list[Entry]) -> None:
        """Keeps messages that do not stand in the transcript."""
        self.journal.push(self._forks, Fork(reason, after, entries))

    # Which thread

    def _thread(self, call: Call, owner: Owner, reply: Reply | None) -> tuple[Thread, Spot]:
        if owner is not None:
            return self._side_thread(call, owner, reply) or self._new_side(call, owner)
        if self.main is None:
            self.journal.set(self, "main", Thread(self))
        main = self.main
        assert main is not None  # noqa: S101 - set above
        spot = main.spot(call, reply)
        if spot.repeated or not main.entries:
            return main, spot
        side = self._side_thread(call, None, reply, whole=True)
        if side is not None:
            if not self._is_turn(call, *side):
                return side
            for entry in side[0].entries:
                main.put_aside(entry)  # what was said beside the transcript comes into it
        if spot.connected and spot.end == len(main.entries):
            return main, spot
        if not spot.connected:
            return self._unconnected(call, reply, spot, main)
        size = self._size(call)
        same = spot.skip == size and (reply is None or reply.key == main.keys[spot.end])
        if not same and self._is_foreign(call, main, spot.skip == size):
            return self._new_side(call, None, fork=spot)
        return main, spot

    def _is_turn(self, call: Call, side: Thread, spot: Spot) -> bool:
        """Whether the person goes on where a call beside the transcript ended: then that was the conversation."""
        tree = self.histories
        if not side.floor or self._other_agent(call):
            return False
        coming = tree.last(call.history, self._size(call) - spot.skip)
        return any(is_heard(tree.messages[number]) for number in coming)

    def _is_foreign(self, call: Call, main: Thread, same_turn: bool) -> bool:
        """Whether another agent or another prompt was asked: for a title, a check, a label, a piece of the work."""
        if self._other_agent(call):
            return True
        return self._other_prompt(call, main) and (same_turn or main.awaits_tool())

    def _other_agent(self, call: Call) -> bool:
        named = call.event.agent.name if call.event.agent else None
        known = self.main.agent if self.main else None
        return named is not None and known is not None and named != known

    def _other_prompt(self, call: Call, main: Thread) -> bool:
        return self.histories.paths[call.prompt] not in (ROOT, main.prompt_path)

    def _unconnected(
        self, call: Call, reply: Reply | None, spot: Spot, main: Thread
    ) -> tuple[Thread, Spot]:
        known = self._side_thread(call, None, reply)
        incomplete = INCOMPLETE in call.event.flags
        if self._other_agent(call):
            if known or not incomplete:
                return known or self._new_side(call, None)
        elif main.prompt and self._other_prompt(call, main):
            waits = main.awaits_tool() and not main.is_new_turn(call)
            if known or waits or self._voice(call, None) in self._by_voice:
                return known or self._new_side(call, None)
        return main, spot

    def _side_thread(
        self, call: Call, owner: Owner, reply: Reply | None, *, whole: bool = False
    ) -> tuple[Thread, Spot] | None:
        """The thread of side calls that a call goes on with. With ``whole``, only one that it repeats wholly."""
        tree, size = self.histories, self._size(call)
        path = tree.paths[call.history]
        again = None if reply is None else tree.known_after(path, reply.key)
        if again is not None and (found := self._by_path.get((owner, again))):
            end = len(found.entries) - 1
            return found, Spot(end - size, size, end)
        if self._by_path:
            floor = 0 if owner or not self.main else self.main.common(path)
            while tree.depth[path] > floor:
                if found := self._by_path.get((owner, path)):
                    end = len(found.entries)
                    return found, Spot(end - tree.depth[path], tree.depth[path], end)
                tree.visited += 1
                path = tree.up[path]
        latest = self._by_voice.get(self._voice(call, owner))
        if whole or latest is None:
            return None
        spot = latest.spot(call, reply)
        return (latest, spot) if spot.connected or INCOMPLETE in call.event.flags else None

    def _voice(self, call: Call, owner: Owner) -> tuple[Owner, str | int]:
        agent = call.event.agent.name if call.event.agent else None
        return owner, self.histories.paths[call.prompt] if agent is None else agent

    def _new_side(self, call: Call, owner: Owner, fork: Spot | None = None) -> tuple[Thread, Spot]:
        """A new thread of side calls: a fork of the transcript, or with a history of its own."""
        main = self.main
        if fork is None or main is None:
            after = main.last.id if main and main.last else None
            thread = Thread(self, call.event.id, after)
            self.journal.put(self._by_voice, self._voice(call, owner), thread)
            spot = Spot(0, 0, 0, connected=False)
        else:
            tree, shared = self.histories, fork.skip
            path = tree.walk_up(tree.paths[call.history], shared)
            thread = Thread(self, call.event.id, main.before(fork.end), floor=shared, path=path)
            thread.prompt_path = main.prompt_path  # the same prompt is not repeated
            spot = Spot(-shared, shared, 0)
        made = Fork(
            "side_call", thread.after, thread.entries, thread, fork is None, call.event.agent, owner
        )
        self.journal.push(self._forks, made)
        return thread, spot

    def _index(self, thread: Thread, owner: Owner, before: int) -> None:
        """Notes where a side thread ends now, so that the call that goes on with it finds it."""
        if before != thread.path:
            if self._by_path.get((owner, before)) is thread:
                self.journal.take(self._by_path, (owner, before))
            self.journal.put(self._by_path, (owner, thread.path), thread)

    def _size(self, call: Call) -> int:
        return self.histories.depth[self.histories.paths[call.history]]

    # What comes of it

    def transcript(self) -> list[Message]:
        """The prompt and the messages."""
        if self.main is None:
            return []
        return [entry.message for entry in (*self.main.prompt, *self.main.entries)]

    def branches(self) -> list[Branch]:
        """What is kept beside the transcript. A message that came back stands there, and not here too."""
        standing: set[str] = set()
        if self.main is not None:
            standing = {entry.id for entry in (*self.main.prompt, *self.main.entries)}
        found = []
        for fork in reversed(self._forks):
            prompt = fork.thread.prompt if fork.thread else []
            after, kept = fork.after, []
            for entry in fork.entries:
                if entry.id not in standing:
                    kept.append(entry)
                elif not kept:
                    after = entry.id
            kept = [*(entry for entry in prompt if entry.id not in standing), *kept]
            standing.update(entry.id for entry in kept)
            if kept:
                found.append(_branch(fork, after, kept))
        return found[::-1]


def _branch(fork: Fork, after: str | None, kept: list[Entry]) -> Branch:
    return Branch(
        reason=fork.reason,
        after=after,
        messages=tuple(entry.message for entry in kept),
        detached=fork.detached,
        agent=fork.agent,
        parent=fork.parent,
    )
