"""Many sessions at once, with wrapped clients of the providers' own SDKs: no event lands in a neighbour's session."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from watched_tee import WatchedTee

import llmtee
from llmtee.model import Conversation, Event, ModelCall
from llmtee.testing.emulators import Emulator, HoneyHiveEmulator, InkeepEmulator
from llmtee.testing.providers import ProviderServer


@pytest.fixture(autouse=True)
def _no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")


def ask(name: str) -> dict[str, Any]:
    """What a call asks, which is the name of its session."""
    return {"model": "m", "messages": [{"role": "user", "content": name}]}


def check(events: Iterable[Event], sessions: set[str], calls: int) -> None:
    """Each session has so many calls, its agent's turn and its tool's run, and every call asks in its session's name."""
    events = list(events)
    names = {event.id: event.name for event in events}
    for call in events:
        if isinstance(call, ModelCall):
            asked = call.input[0].text
            told = call.agent.name if call.agent is not None else None
            assert (call.session, told) == (asked, f"agent {asked}")
            assert names[call.parent or ""] == f"tool {asked}"
    counts = Counter((event.session, event.kind, event.name) for event in events)
    expected = Counter[Any]()
    for session in sessions:
        expected[session, "model_call", None] = calls
        expected[session, "tool_run", f"tool {session}"] = 1
        expected[session, "step", f"agent {session}"] = 1
    assert counts == expected


def conversations(emulator: Emulator, vendor: str) -> Iterator[Conversation]:
    for request in emulator.requests:
        for item in llmtee.parse(request.body, vendor):
            assert isinstance(item, Conversation)
            yield item


FIFTY = {f"s{n}" for n in range(50)}


async def fifty_tasks(tee: WatchedTee, provider: ProviderServer) -> None:
    """Each has a session, an agent, a tool, and in it a call and a stream; all are in the middle of it at once."""
    barrier = asyncio.Barrier(len(FIFTY))

    async def turn(chat: Any, claude: Any, name: str) -> None:
        @tee.observe(kind="tool", name=f"tool {name}")
        async def talk() -> Any:
            await barrier.wait()
            await claude.messages.create(max_tokens=9, **ask(name))
            stream = await chat.chat.completions.create(**ask(name), stream=True)
            await anext(aiter(stream))
            return stream

        with tee.session(name):
            async with tee.agent(f"agent {name}"):
                stream = await talk()
                await barrier.wait()
        # Read later and elsewhere, it is still of the session in which it was asked for.
        with tee.session("elsewhere"):
            async for _ in stream:
                pass

    async with (
        openai.AsyncOpenAI(base_url=provider.openai_url, api_key="k") as chat,
        anthropic.AsyncAnthropic(base_url=provider.url, api_key="k") as claude,
    ):
        clients = tee.wrap(chat), tee.wrap(claude)
        await asyncio.gather(*(turn(*clients, name) for name in FIFTY))


def test_fifty_tasks(provider: ProviderServer, tee: WatchedTee) -> None:
    asyncio.run(fifty_tasks(tee, provider))
    check(tee.events, FIFTY, 2)


@pytest.mark.slow
def test_fifty_tasks_at_the_vendors(provider: ProviderServer, tmp_path: Path) -> None:
    with HoneyHiveEmulator() as honeyhive, InkeepEmulator() as inkeep:
        exporters = [honeyhive.exporter(), inkeep.exporter()]
        with WatchedTee(exporters, dir=tmp_path) as tee:
            asyncio.run(fifty_tasks(tee, provider))
            check(tee.events, FIFTY, 2)
            assert tee.flush(60)
        asked = {
            (event["session_id"], event["inputs"]["chat_history"][0]["content"])
            for event in honeyhive.events.values()
            if event["event_type"] == "model"
        }
        assert len({session for session, _ in asked}) == len(asked) == 50
        for event in honeyhive.events.values():
            parent = honeyhive.events.get(event.get("parent_id"))
            assert (parent is None) == (event["event_name"].startswith("agent "))
            assert parent is None or parent["session_id"] == event["session_id"]
        found = {item.session: item for item in conversations(inkeep, "inkeep")}
        assert set(found) == FIFTY
        for name, conversation in found.items():
            assert {m.text for m in conversation.messages if m.role == "user"} == {name}


def test_threads(provider: ProviderServer, tee: WatchedTee) -> None:
    names = [f"s{n}" for n in range(12)]
    barrier = threading.Barrier(len(names))
    with openai.OpenAI(base_url=provider.openai_url, api_key="k") as client:
        tee.wrap(client)

        def turn(name: str) -> None:
            @tee.observe(kind="tool", name=f"tool {name}")
            def talk() -> None:
                barrier.wait(60)
                client.chat.completions.create(**ask(name))
                with client.chat.completions.create(**ask(name), stream=True) as stream:
                    next(stream)
                    barrier.wait(60)

            with tee.session(name), tee.agent(f"agent {name}"):
                talk()

        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(turn, names))
    check(tee.events, {*names}, 2)


# ── gunicorn ────────────────────────────────────────────────────────────────────────────────────────────────────

WEB = """
import os
from llmtee import HoneyHive, Tee
from llmtee.capture.wsgi import Middleware
from openai import OpenAI

tee = Tee([HoneyHive(project="p")])
client = tee.wrap(OpenAI(base_url=os.environ["PROVIDER"], api_key="k"))

def app(environ, start_response):
    name = environ["PATH_INFO"][1:]

    @tee.observe(kind="tool", name=f"tool {name}")
    def talk():
        messages = [{"role": "user", "content": name}]
        for chunk in client.chat.completions.create(model="m", messages=messages, stream=True):
            yield (chunk.choices[0].delta.content or "").encode() if chunk.choices else b""

    start_response("200 OK", [("content-type", "text/plain")])
    with tee.agent(f"agent {name}"):
        yield str(os.getpid()).encode() + b" "
        yield from talk()

app = Middleware(app, tee, session=lambda environ: environ["PATH_INFO"][1:])
"""


class Unix(http.client.HTTPConnection):
    """HTTP over the socket that gunicorn made in the test's own directory."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


def get(path: Path, name: str) -> int:
    """Asks in a session's name; gives the process that answered."""
    connection = Unix(path)
    try:
        connection.request("GET", f"/{name}")
        response = connection.getresponse()
        assert response.status == 200
        return int(response.read().split()[0])
    finally:
        connection.close()


def wait_for(path: Path, server: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while True:
        assert server.poll() is None, server.communicate()[1]
        assert time.monotonic() < end
        try:
            get(path, "start")
        except OSError:
            time.sleep(0.01)
        else:
            return


@pytest.mark.slow
def test_gunicorn_with_four_workers_and_threads(provider: ProviderServer, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "web.py").write_text(WEB, "utf-8")
    bound = tmp_path / "web.sock"
    names = [f"s{n}" for n in range(80)]
    with HoneyHiveEmulator() as honeyhive:
        environ = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
        environ |= {
            "HH_API_KEY": honeyhive.key,
            "HH_API_URL": honeyhive.url,
            "LLMTEE_DIR": str(tmp_path / "log"),
            "PROVIDER": provider.openai_url,
        }
        words = [sys.executable, "-m", "gunicorn", "--workers=4", "--threads=4"]
        words += [f"--bind=unix:{bound}", "--no-control-socket", "--worker-tmp-dir", str(tmp_path)]
        server = subprocess.Popen(
            [*words, "web:app"],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_for(bound, server)
            with ThreadPoolExecutor(16) as pool:
                processes = set(pool.map(lambda name: get(bound, name), names))
            expected = {f"{kind} {name}" for kind in ("agent", "tool") for name in names}
            assert honeyhive.wait_for(
                lambda: expected <= {event["event_name"] for event in honeyhive.events.values()}, 60
            )
            server.send_signal(signal.SIGTERM)
            _, err = server.communicate(timeout=60)
        finally:
            if server.poll() is None:
                server.kill()
                server.communicate()
        assert server.returncode == 0, err
        assert "Traceback" not in err
        assert len(processes) > 1
        asked = {}
        for event in honeyhive.events.values():
            if event["event_type"] == "model":
                name = event["inputs"]["chat_history"][0]["content"]
                tool = honeyhive.events[event["parent_id"]]
                agent = honeyhive.events[tool["parent_id"]]
                found = tool["event_name"], agent["event_name"]
                assert found == (f"tool {name}", f"agent {name}")
                assert tool["session_id"] == agent["session_id"] == event["session_id"]
                asked[name] = event["session_id"]
        assert set(names) <= set(asked)
        assert len(set(asked.values())) == len(asked)
