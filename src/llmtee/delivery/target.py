"""What an annotation is about: which message that is, and whether the vendor has it yet.

An annotation must not overtake its target, nor an earlier annotation of the same: a vendor that does not know the target
may refuse the annotation, or lose it without a word. So it waits in the event log, however long that takes, and is looked
at again now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmtee import jsontext
from llmtee.delivery.exporter import Exporter
from llmtee.delivery.letter import dead
from llmtee.eventlog import CANONICAL, Entry, EventLog, Settlement, Work
from llmtee.model import Annotation, Conversation, Message, Step, load_event

UNKNOWN_SECONDS = 60.0
"""How long a target that is not in the event log is waited for: another process may just be writing it."""
_SHORTEST, _LONGEST = 0.02, 5.0
"""Seconds between two looks; the longer an annotation waits, the longer."""
_LAST = 2**62
"""Behind every event of a log."""

Assemble = Callable[[str], Conversation | None]


def in_session(log: EventLog, annotation: Annotation) -> Annotation:
    """The annotation with the session of its target, as far as the event log knows it."""
    if annotation.target_type == "session":
        return annotation.model_copy(update={"session": annotation.target})
    if annotation.target_type == "message":
        return annotation.model_copy(update={"message": annotation.target})
    entry = log.event(annotation.target)
    if entry is None or entry.format != CANONICAL:
        return annotation
    event = load_event(jsontext.loads(entry.payload))
    update = {"session": entry.session}
    if isinstance(event, Step) and event.step_type == "session":
        update |= {"target_type": "session", "target": entry.session}
    return annotation.model_copy(update=update)


def on_message(annotation: Annotation, assembled: Assemble) -> Annotation:
    """The annotation with the message that its target made, for a vendor that holds conversations.

    Args:
        annotation: with its session, see `in_session`.
        assembled: gives the whole conversation of a session.
    """
    if annotation.target_type == "message" or annotation.session is None:
        return annotation
    conversation = assembled(annotation.session)
    found = None if conversation is None else _message(conversation.messages, annotation)
    return annotation.model_copy(update={"message": found})


def unsettled(
    exporter: Exporter, log: EventLog, annotation: Annotation, work: Work, entry: Entry
) -> Settlement | None:
    """What becomes of an annotation whose target is not at the vendor; ``None``: it can be sent.

    Args:
        exporter: whom it is for.
        log: where the target stands.
        annotation: with its session, see `in_session`.
        work: of the annotation.
        entry: of the annotation.
    """
    now = exporter.tuning.clock()
    age = max(0.0, now - entry.recorded_at)
    before = log.newest(entry.session, work.last_seq)
    if before is not None and log.outcome(exporter.name, before) == "pending":
        return _later(
            work, f"waits for what was said before of {annotation.target!r:.80}", now, age
        )
    awaited = _awaited(log, annotation, work)
    of = f"the {annotation.target_type} {annotation.target!r:.80}"
    if awaited is None and annotation.target_type != "message":
        if age < UNKNOWN_SECONDS:
            return _later(work, f"waits for {of}, which is not in the event log", now, age)
        if exporter.vendor.grain == "conversation":
            return dead(exporter, work, f"{of} is not in the event log", now)
    state = None if awaited is None else log.outcome(exporter.name, awaited)
    if state in ("pending", "open"):
        return _later(work, f"waits until {of} is delivered", now, age)
    if annotation.target_type != "event" and exporter.vendor.grain == "event":
        return None  # one event says nothing of its session
    if state == "dead":
        return dead(exporter, work, f"{of} is a dead letter", now)
    if state == "skipped":
        return Settlement(work, "skipped", f"{of} was not sent")
    return None


def _awaited(log: EventLog, annotation: Annotation, work: Work) -> str | None:
    """The event that must be at the vendor first: the target; of a session, what came last before the annotation."""
    if annotation.target_type == "event":
        return annotation.target if log.event(annotation.target) is not None else None
    if annotation.session is None:
        return None
    return log.newest(annotation.session, work.last_seq) or log.newest(annotation.session, _LAST)


def _later(work: Work, reason: str, now: float, age: float) -> Settlement:
    due_at = now + min(max(age / 4, _SHORTEST), _LONGEST)
    return Settlement(work, "pending", reason, due_at, work.attempts, work.first_at, dated_at=now)


def _message(messages: Sequence[Message], annotation: Annotation) -> str | None:
    """The message that the target made; of a session, its last answer."""
    of_session = annotation.target_type == "session"
    for message in reversed(messages):
        made_by = None if message.generation is None else message.generation.event
        if made_by == annotation.target or (of_session and message.role == "assistant"):
            return message.id
    return None
