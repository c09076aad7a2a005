"""Plays the recorded conversations through Tee to four emulated vendors, with two mishaps on the way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from llmtee.cli._fixtures import Recorded
from llmtee.model import load_event
from llmtee.tee import Tee
from llmtee.testing.emulators import (
    Emulator,
    HoneyHiveEmulator,
    InkeepEmulator,
    Received,
    RoarkEmulator,
    VokerEmulator,
    faults,
)

_FLUSH_SECONDS = 20.0


@dataclass(frozen=True)
class Played:
    """What came of it."""

    conversations: list[Recorded]
    report: Any
    """Tee's ``FlushReport``."""
    requests: Mapping[str, tuple[Received, ...]]
    """What arrived, by vendor."""
    stored: Mapping[str, int]
    """How many events or conversations each vendor holds at the end."""
    seconds: float


def play(conversations: list[Recorded], directory: Path) -> Played:
    """Records everything, ends the sessions, and waits until all is delivered.

    Args:
        conversations: what to play.
        directory: for the event log.
    """
    started = monotonic()
    with ExitStack() as stack:
        voker, honeyhive = VokerEmulator(), HoneyHiveEmulator()
        inkeep, roark = InkeepEmulator(), RoarkEmulator()
        emulators: list[Emulator] = [honeyhive, inkeep, roark, voker]
        for emulator in emulators:
            stack.enter_context(emulator)
        honeyhive.script(faults.status(429, retry_after=1))
        roark.script(faults.reset("after"))
        with Tee([emulator.exporter() for emulator in emulators], dir=directory) as tee:
            for conversation in conversations:
                _record(tee, conversation)
            report = tee.flush(timeout=_FLUSH_SECONDS)
        return Played(
            conversations=conversations,
            report=report,
            requests={emulator.vendor: emulator.requests for emulator in emulators},
            stored={
                "honeyhive": len(honeyhive.events),
                "inkeep": len(inkeep.conversations),
                "roark": len(roark.chats),
                "voker": len(voker.events),
            },
            seconds=monotonic() - started,
        )


def _record(tee: Tee, conversation: Recorded) -> None:
    first = conversation.calls[0]
    who = {name: first[name] for name in ("agent", "agent_version", "person")}
    with tee.session(conversation.session, **who):
        for line in conversation.lines:
            if "kind" in line:
                tee.record(load_event(line))
            else:
                tee.record_call("openai-chat", **line)
    tee.end_session(conversation.session)
