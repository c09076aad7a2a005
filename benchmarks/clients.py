"""Who is measured: llmtee, and peers where they are installed. All talk to one address, and to nothing else.

Each client takes a sample event, as `events.records` makes it, in the shape that its users would give it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from llmtee import HoneyHive, Inkeep, Roark, Tee, Voker
from llmtee.delivery import Tuning
from llmtee.formats import openai_chat

Sample = dict[str, Any]
ROOM = 200_000
"""Events that a peer may hold, where it has a bound: none is dropped while it is measured."""


@dataclass(frozen=True)
class Client:
    """One client, ready to record."""

    record: Callable[[Any], object]
    flush: Callable[[], object]
    prepared: Callable[[Sample], Any] = lambda sample: sample
    """What an application has at hand when it calls: made before the clock runs."""
    close: Callable[[], object] = lambda: None
    end: Callable[[str], object] = len
    """Is told of each session that is over; most have no word for it."""


def closed_environment(directory: str) -> dict[str, str]:
    """An environment in which no client finds a setting, a proxy or a key."""
    kept = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": directory,
        "NO_PROXY": "*",
        "LANGSMITH_API_KEY": "none",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }


# ── llmtee ──────────────────────────────────────────────────────────────────────────────────────────────────────


def llmtee(
    url: str,
    directory: str,
    *,
    vendors: str = "HoneyHive",
    transport: str = "httpx",
    deliver: bool = True,
    canonical: bool = False,
    sessions: str = "each",
) -> Client:
    """A Tee with its log in ``directory``.

    Args:
        url: of all vendors.
        directory: of the event log.
        vendors: ``HoneyHive``, or ``all four``.
        transport: the HTTP library.
        deliver: whether delivery runs.
        canonical: whether events are recorded with ``record``, else with ``record_call``.
        sessions: HoneyHive's setting.
    """
    common: dict[str, Any] = {"api_key": "benchmark-key", "base_url": url, "transport": transport}
    exporters: list[Any] = [HoneyHive(project="benchmark", sessions=sessions, **common)]
    if vendors == "all four":
        exporters += [Voker(**common), Inkeep(**common), Roark(**common)]
    tee = Tee(exporters, dir=directory, deliver=deliver, tuning=Tuning(quiet=0.0))

    def record_call(sample: Sample) -> None:
        tee.record_call("openai-chat", **sample)

    def flush() -> None:
        report = tee.flush(timeout=600)
        if not report.ok or any(counts.dead for counts in report.exporters.values()):
            raise SystemExit(f"not everything arrived: {report}")

    return Client(
        record=tee.record if canonical else record_call,
        flush=flush,
        prepared=openai_chat.decode_record if canonical else lambda sample: sample,
        close=lambda: tee.close(timeout=0.2),
        end=tee.end_session,
    )


# ── peers ───────────────────────────────────────────────────────────────────────────────────────────────────────
# Each in the way that its own documentation shows, with room for all events where it has a bound.


def opentelemetry(url: str, directory: str) -> Client:
    """A span with the messages as JSON, as the GenAI conventions want them; batch processor, OTLP over HTTP."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=ROOM))
    tracer = provider.get_tracer("benchmark")

    def record(sample: Sample) -> None:
        request, response = sample["request"], sample["response"]
        with tracer.start_as_current_span("chat gpt-4o") as span:
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": request["model"],
                    "gen_ai.conversation.id": sample["session"],
                    "gen_ai.input.messages": json.dumps(request["messages"]),
                    "gen_ai.output.messages": json.dumps(response["choices"]),
                    "gen_ai.usage.input_tokens": response["usage"]["prompt_tokens"],
                    "gen_ai.usage.output_tokens": response["usage"]["completion_tokens"],
                }
            )

    return Client(record=record, flush=lambda: provider.force_flush(600_000))


def voker(url: str, directory: str) -> Client:
    """Voker's own SDK. It has no flush but its end."""
    from voker.client import VokerClient  # noqa: PLC0415

    client = VokerClient(base_url=url, api_key="none")

    def record(sample: Sample) -> None:
        client.events.create(
            event_name="llm",
            properties={
                "api": "openai-chat-completions",
                "inputs": sample["request"],
                "output": sample["response"],
            },
            session=sample["session"],
        )

    return Client(record=record, flush=client.close)


def langsmith(url: str, directory: str) -> Client:
    """A run that has ended, with its place in the trace, which is what lets the client batch it."""
    from langsmith import Client as LangSmith  # noqa: PLC0415
    from langsmith.run_trees import RunTree  # noqa: PLC0415

    client = LangSmith(api_url=url, api_key="none", info={})

    def record(sample: Sample) -> None:
        run = RunTree(
            name="chat",
            run_type="llm",
            inputs=sample["request"],
            project_name="benchmark",
            ls_client=client,
        )
        run.end(outputs=sample["response"])
        run.post()

    return Client(record=record, flush=client.flush)


PEERS: Mapping[str, tuple[str, Callable[[str, str], Client]]] = {
    "OpenTelemetry": ("opentelemetry.exporter", opentelemetry),
    "Voker's SDK": ("voker", voker),
    "LangSmith": ("langsmith", langsmith),
}
"""Each peer's module and how it is opened."""


def is_installed(peer: str) -> bool:
    """Whether a peer can be measured here."""
    try:
        return find_spec(PEERS[peer][0]) is not None
    except ModuleNotFoundError:
        return False
