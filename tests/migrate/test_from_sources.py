"""What is only read, and no vendor, is migrated from like a vendor."""

from __future__ import annotations

from llmtee.migrate import Migration
from llmtee.testing.emulators.inkeep import InkeepEmulator
from llmtee.testing.emulators.langfuse import LangfuseEmulator


def test_traces_of_langfuse_move_to_a_vendor(tmp_path) -> None:
    with LangfuseEmulator() as langfuse, InkeepEmulator() as inkeep:
        for number in (1, 2):
            langfuse.traces[f"trace-{number}"] = trace(number)

        with Migration(langfuse.exporter(), inkeep.exporter(), dir=tmp_path / "m") as migration:
            report = migration.run(migration.plan())

        assert report.ok
        assert report.verification is not None
        stored = sorted(inkeep.conversations.values(), key=lambda one: one["externalId"])
        texts = [[message["content"] for message in one["messages"]] for one in stored]
        assert texts == [["Question 1?", "Answer 1."], ["Question 2?", "Answer 2."]]


def trace(number: int) -> dict[str, object]:
    time = f"2026-01-0{number}T10:00:00.000Z"
    call = {
        "id": f"call-{number}",
        "traceId": f"trace-{number}",
        "type": "GENERATION",
        "name": "chat",
        "startTime": time,
        "endTime": time.replace(":00.000", ":01.000"),
        "model": "gpt-4o",
        "input": [{"role": "user", "content": f"Question {number}?"}],
        "output": {"role": "assistant", "content": f"Answer {number}."},
    }
    return {
        "id": f"trace-{number}",
        "timestamp": time,
        "sessionId": f"session-{number}",
        "observations": [call],
        "scores": [],
    }
