"""Conversations of an exporter, as far as they were assembled: for a while in memory, and in the event log."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from llmtee import jsontext
from llmtee.assembly import Session, following
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.health import Limited, logger
from llmtee.errors import UsageError
from llmtee.eventlog import Entry, EventLog, Mark, State, Story, Work
from llmtee.model import Conversation, Event, conversation_id

_FORM = b"\x01"
"""First byte of a stored state. What follows is compressed JSON: ``seq``, and ``session`` as `Session` writes it."""
_MEMORY_FACTOR = 16
"""Bytes that a session takes in memory, for each byte of its state as JSON. Measured: 16 to 19."""

_LAST = 2**62
"""Behind every event of a log."""


@dataclass(slots=True)
class _Live:
    """A session as far as it was absorbed."""

    session: Session
    mark: Mark
    stored: int = 0
    """Length of its state when that was last written or read, in bytes of JSON."""
    since: int = 0
    """Bytes of the events that came after that."""

    @property
    def memory(self) -> int:
        """Bytes that it takes at most, more or less: an event is longer than what it adds."""
        return _MEMORY_FACTOR * (self.stored + self.since)


class Conversations:
    """Assembles the conversations of one exporter, each from where it stood, and says what of that to store.

    The state of a session is stored when the events that came since are as long as it is. So storing never costs more
    than reading the events did, a session taken up again reads at most about twice its state, and one that stays short
    has none.
    """

    def __init__(self, exporter: Exporter, log: EventLog, load: Callable[[Entry], Event]) -> None:
        """Prepares, without any I/O.

        Args:
            exporter: whose conversations they are.
            log: where events and states stand.
            load: reads the event of an entry.
        """
        self._log, self._load = log, load
        self._tuning = exporter.tuning
        # What is sent once, when it ended, is hardly ever needed again.
        upserts = exporter.subscription.send_when == "changed"
        self._budget = self._tuning.session_memory if upserts else 0
        self._kept: OrderedDict[str, _Live] = OrderedDict()
        self._lines = Limited()

    def of(self, work: Work) -> tuple[Conversation | None, State | None]:
        """The conversation of a unit of work, and a state to store when that is settled, if it is time to.

        The conversation is all of the session up to the work's last event, or what earlier segments did not have;
        ``None`` when that is nothing.
        """
        assert work.session is not None  # noqa: S101 - says to the type checker what the caller asked
        live = self._kept.pop(work.session, None)
        sent = None
        if work.segment:
            live = self._advanced(work.session, work.after_seq, live)
            sent = _shown(live.session)
        live = self._advanced(work.session, work.last_seq, live)
        whole = _shown(live.session)
        state = self._due(work.session, live)
        self._keep(work.session, live)
        if whole is None or work.segment == 0:
            return whole, state
        if sent is not None:
            return following(whole, sent, work.segment), state
        fields = {"id": conversation_id(work.session, work.segment), "segment": work.segment}
        return whole.model_copy(update=fields), state

    def whole(self, session: str) -> Conversation | None:
        """All of a session, as far as the event log has it; ``None`` when there is nothing in it."""
        return _shown(self._advanced(session, _LAST, None).session)

    def _advanced(self, name: str, upto: int, live: _Live | None) -> _Live:
        """The session with all of its events up to there, and no other."""
        story = self._log.story(name, upto, None if live is None else live.mark)
        if live is None or not story.goes_on:
            live, story = self._taken_up(name, upto, story)
        for entry in story.entries:
            event = self._load(entry)
            if event.session != name:  # it has none, and is a session of its own
                event = event.model_copy(update={"session": name})
            live.session.absorb(event)
            live.since += len(entry.payload)
        live.mark = story.mark
        return live

    def _taken_up(self, name: str, upto: int, story: Story) -> tuple[_Live, Story]:
        """The session as its newest state has it that can be read, and the events after that."""
        while (state := story.state) is not None:
            try:
                return _unpacked(state), story
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the events are right
                self._log.discard(state)
                if self._lines.may(self._tuning.clock()):
                    logger.warning(
                        "the state of session %r cannot be read, and is made anew from its events: %s",
                        name,
                        error,
                    )
            story = self._log.story(name, upto)
        return _Live(Session(name), story.mark), story

    def _due(self, name: str, live: _Live) -> State | None:
        if live.since < max(self._tuning.state_bytes, live.stored):
            return None
        text = _text(live)
        live.stored, live.since = len(text), 0
        return State(name, live.mark, _FORM + zlib.compress(text, 1))

    def _keep(self, name: str, live: _Live) -> None:
        self._kept[name] = live
        memory = sum(one.memory for one in self._kept.values())
        while memory > self._budget:
            memory -= self._kept.popitem(last=False)[1].memory


def _shown(session: Session) -> Conversation | None:
    """The conversation, if there is anything in it."""
    if not len(session):
        return None
    conversation = session.conversation()
    return conversation if conversation.messages or conversation.tool_runs else None


def _text(live: _Live) -> bytes:
    return jsontext.dumps({"seq": live.mark.seq, "session": live.session.to_json()})


def _unpacked(state: State) -> _Live:
    """The session that a state holds.

    Raises:
        UsageError: another llmtee wrote it, or it is of another session.
        Exception: it is damaged.
    """
    if state.content[:1] != _FORM:
        raise UsageError(f"it has form {state.content[:1]!r}, and this llmtee reads {_FORM!r}")
    text = zlib.decompress(state.content[1:])  # has a checksum of its own
    stored = jsontext.loads(text)
    session = Session.from_json(stored["session"])
    if (session.session, stored["seq"]) != (state.session, state.mark.seq):
        raise UsageError(f"it is of session {session.session!r} up to {stored['seq']}")
    return _Live(session, state.mark, stored=len(text))
