"""One line of talk: the calls of the conversation itself, or of one sub-agent, folded into messages that stand once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmtee.assembly._calls import Call, generation_of, is_heard
from llmtee.assembly._histories import ROOT
from llmtee.assembly._spot import Entry, Place, Reply, Spot
from llmtee.model import Message
from llmtee.model.ids import derive_id

if TYPE_CHECKING:
    from llmtee.assembly._fold import Fold


class Thread(Place):
    """Messages in order. Changed only through the journal of its `Fold`."""

    def __init__(
        self,
        fold: Fold,
        line: str = "",
        after: str | None = None,
        *,
        floor: int = 0,
        path: int = ROOT,
    ) -> None:
        self.fold = fold
        self.histories = fold.histories
        self.line = line
        """What tells it from other threads: id of the call that began it; nothing for the transcript."""
        self.after = after
        """Id of the message after which it begins."""
        self.floor = floor
        """How many messages of the transcript its calls repeat, which do not stand in it again; ``path``: theirs."""
        self.floor_path = path
        self.prompt: list[Entry] = []
        """The leading system and developer messages: those of the newest call that has any."""
        self.prompt_path = ROOT
        self.entries: list[Entry] = []
        self.keys: list[int] = []
        self.paths: list[int] = []
        self.agent: str | None = None
        """Name of the agent that spoke last."""
        self.only_new_turns = False
        self.places: dict[int, list[int]] = {}
        self._prompts: dict[int, list[Entry]] = {}
        self._shelf: dict[int, Entry] = {}
        self._numbers: dict[int, int] = {}

    @property
    def path(self) -> int:
        """The path of the whole thread."""
        return self.paths[-1] if self.paths else self.floor_path

    @property
    def last(self) -> Entry | None:
        """The newest message."""
        return self.entries[-1] if self.entries else None

    def before(self, place: int) -> str | None:
        """The id of the message before that place."""
        return self.entries[place - 1].id if place else self.after

    def awaits_tool(self) -> bool:
        """Whether the newest message asks for a tool that has not answered."""
        return bool(self.entries and self.entries[-1].message.tool_calls)

    # What it adds

    def add(self, call: Call, reply: Reply | None, spot: Spot) -> int:
        """Folds in one call that is no older than those before it; returns the place of its answer."""
        journal, tree = self.fold.journal, self.histories
        size = tree.depth[tree.paths[call.history]]
        if spot.repeated:
            if not self.prompt:
                self._set_prompt(call)
            self._learn(call, spot, reply)
            return spot.end
        follows = self.entries[spot.end].key if spot.end < len(self.entries) else None
        if follows is not None and spot.skip == size and (not reply or reply.key == follows):
            self._learn(call, spot, reply)
            return spot.end
        if not spot.connected and self.entries and size:
            journal.set(self, "only_new_turns", True)
        self._set_prompt(call)
        if call.event.agent:
            journal.set(self, "agent", call.event.agent.name)
        self._append(call, spot, size)
        place = len(self.entries)
        if reply is not None:
            self._push(reply.key, reply.message)
        elif call.event.error is not None:
            self._fail(place, call)
        return place

    def _append(self, call: Call, spot: Spot, size: int) -> None:
        tree = self.histories
        superseded = self._cut(spot.end)
        for entry in superseded:
            self.put_aside(entry)
        numbers = tree.last(call.history, size - spot.skip)
        turn = self._turn_start(call)
        reworded = None
        restored: set[int] = set()
        coming: list[tuple[int, Message | Entry]] = []
        for i, number in enumerate(numbers, spot.skip):
            key, message = tree.keys[number], tree.messages[number]
            if i >= turn:
                coming.append((key, self._heard(call, message, newest=True)))
            elif key in self._shelf and key not in restored:
                restored.add(key)
                coming.append((key, self._shelf[key]))
            elif i == spot.skip and _is_one_answer(superseded) and message.role == "assistant":
                # Our last answer as the application wrote it back, say without its <think> block.
                reworded = superseded[-1]
                # It keeps its id in the transcript; its old wording is kept beside it under another.
                old = self.entry(reworded.key, reworded.message.model_copy(update={"id": None}))
                superseded[-1] = old
                self.put_aside(old)
                coming.append((key, message))
            else:
                coming.append((key, self._heard(call, message, newest=False)))
        if superseded:
            self._leave(spot.end, superseded, coming, reworded=reworded is not None)
        for key, what in coming:
            if isinstance(what, Entry):
                self._restore(key, what)
            elif reworded is not None:
                self._reword(key, reworded, what)
                reworded = None
            else:
                self._push(key, what)

    def _leave(
        self,
        place: int,
        superseded: list[Entry],
        coming: list[tuple[int, Message | Entry]],
        *,
        reworded: bool,
    ) -> None:
        """Keeps what gives way, beside the thread."""
        if self.fold.main is self:
            self.fold.flag("superseded_messages", len(superseded))
        first = superseded[0]
        back = coming[0][1] if coming else None
        if reworded:
            reason = "reworded"
        elif isinstance(back, Entry) and _siblings(back, first):
            reason = "choice"
        else:
            reason = "regenerated" if first.message.role == "assistant" else "edited"
        self.fold.left(reason, self.before(place), superseded)

    def entry(self, key: int, message: Message) -> Entry:
        """A message with an id: its own, else one that follows from the session, the message and its number here.

        Numbers count within the thread, so that what a sub-agent says does not change the ids of the transcript.
        """
        fold, number = self.fold, self._numbers.get(key, 0) + 1
        own = message.id
        text = self.histories.text_of(key) if own is None or own in fold.taken else ""
        while own is None or own in fold.taken:
            names = (text, str(number), self.line) if self.line else (text, str(number))
            own = derive_id("message", fold.scope, *names)
            number += own in fold.taken
        fold.journal.put(self._numbers, key, number)
        fold.journal.put(fold.taken, own, True)
        known = message if message.id == own else message.model_copy(update={"id": own})
        return Entry(own, key, known)

    def put_aside(self, entry: Entry) -> None:
        """Remembers a message that does not stand in the thread, in case the application goes on with it."""
        self.fold.journal.put(self._shelf, entry.key, entry)

    def _restore(self, key: int, entry: Entry) -> None:
        self.fold.journal.take(self._shelf, key)
        self._stand(entry)

    def _reword(self, key: int, entry: Entry, written_back: Message) -> None:
        journal = self.fold.journal
        rewritten = {"parts": written_back.parts, "extra": written_back.extra}
        journal.set(entry, "message", entry.message.model_copy(update=rewritten))
        journal.set(entry, "key", key)
        self._stand(entry)

    def _push(self, key: int, message: Message) -> None:
        self._stand(self.entry(key, message))

    def _stand(self, entry: Entry) -> None:
        journal, tree = self.fold.journal, self.histories
        path = tree.path_after(self.path, entry.key)
        journal.push(self.entries, entry)
        journal.push(self.keys, entry.key)
        journal.push(self.paths, path)
        if entry.key not in self.places:
            journal.put(self.places, entry.key, [])
        journal.push(self.places[entry.key], len(self.entries) - 1)

    def _cut(self, length: int) -> list[Entry]:
        journal = self.fold.journal
        for key in reversed(self.keys[length:]):
            journal.cut(self.places[key], len(self.places[key]) - 1)
        journal.cut(self.keys, length)
        journal.cut(self.paths, length)
        return journal.cut(self.entries, length)

    # What it learns

    def _learn(self, call: Call, spot: Spot, reply: Reply | None) -> None:
        """Adds what a call knows about messages that stand already."""
        for i in range(max(0, spot.start + self._turn_start(call)), spot.end):
            entry = self.entries[i]
            self._tell(entry, self._heard(call, entry.message, newest=True))
        if reply is not None:
            entry = self.entries[spot.end]
            self._tell(entry, reply.message)
        elif call.event.error is not None:
            self._fail(spot.end, call)

    def _fail(self, end: int, call: Call) -> None:
        """Puts a failed call on the message that it left unanswered."""
        if self.fold.main is self:
            self.fold.flag("failed_calls")
        listed, place = (self.entries, end - 1) if end else (self.prompt, len(self.prompt) - 1)
        if place >= 0 and listed[place].message.role != "assistant":
            failed = {"generation": generation_of(call.event, None)}
            self._tell(listed[place], listed[place].message.model_copy(update=failed))

    def _tell(self, entry: Entry, message: Message) -> None:
        if message is not entry.message:
            known = message.model_copy(update={"id": entry.id})
            self.fold.journal.set(entry, "message", known)

    def _set_prompt(self, call: Call) -> None:
        tree, journal = self.histories, self.fold.journal
        path = tree.paths[call.prompt]
        if path in (ROOT, self.prompt_path):
            return
        prompt: list[Entry] = []
        for number in tree.last(call.prompt, tree.depth[path]):
            key, message = tree.keys[number], tree.messages[number]
            known = self._prompts.get(key, [])
            entry = next((entry for entry in known if all(entry is not e for e in prompt)), None)
            if entry is None:  # a prompt that was said before has the id that it had
                entry = self.entry(key, message)
                journal.put(self._prompts, key, [*known, entry])
            prompt.append(entry)
        if self.prompt:
            if self.fold.main is self:
                self.fold.flag("prompt_changes")
            self.fold.left("prompt", self.before(len(self.entries)), self.prompt)
        journal.set(self, "prompt", prompt)
        journal.set(self, "prompt_path", path)

    def _heard(self, call: Call, message: Message, *, newest: bool) -> Message:
        """A message of a call's input as it stands in a conversation."""
        learned: dict[str, Any] = {}
        if newest and message.started_at is None and message.ended_at is None:
            learned["started_at"] = call.event.started_at
        # Who speaks to a sub-agent is not the person.
        if self.fold.main is self and message.person is None and is_heard(message):
            learned["person"] = call.event.person
        learned = {name: value for name, value in learned.items() if value is not None}
        return message.model_copy(update=learned) if learned else message

    def _turn_start(self, call: Call) -> int:
        """Where in a call's history the newest turn begins: what stands after the last answer."""
        tree = self.histories
        path = tree.paths[call.history]
        size = tree.depth[path]
        for back, key in enumerate(tree.tail(path)):
            if tree.answers[key]:
                return size - back
        return 0


def _is_one_answer(entries: list[Entry]) -> bool:
    """Whether the messages are an answer: in one, or in what was put into the model's mouth and the rest."""
    return bool(entries) and all(entry.message.role == "assistant" for entry in entries)


def _siblings(one: Entry, other: Entry) -> bool:
    """Whether both are choices of one call."""
    made, beside = one.message.generation, other.message.generation
    return made is not None and beside is not None and made.event == beside.event
