from __future__ import annotations

import subprocess
import sys

import llmtee


def test_all_is_sorted_complete_and_loadable() -> None:
    assert llmtee.__all__ == sorted(llmtee.__all__)
    for name in llmtee.__all__:
        assert getattr(llmtee, name) is not None
    assert set(llmtee.__all__) <= set(dir(llmtee))


def test_importing_llmtee_imports_nothing_heavy_and_starts_nothing() -> None:
    code = (
        "import sys, threading, llmtee\n"
        "heavy = {'pydantic', 'httpx', 'sqlite3', 'orjson', 'tenacity', 'asyncio', 'typer', 'starlette'}\n"
        "print(sorted(heavy & set(sys.modules)), threading.active_count())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[] 1"


def test_the_pure_core_works_without_the_wire() -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['httpx', 'sqlite3', 'typer', 'rich', 'starlette', 'uvicorn', 'jsonschema']))\n"
        "import llmtee\n"
        "call = llmtee.ModelCall(session='s', input=[llmtee.Message(role='user')])\n"
        "print(len(llmtee.render([call], 'honeyhive')), llmtee.explain(call, 'voker') is not None)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1 True"


def test_a_tee_imports_its_http_library_in_the_thread_that_makes_it() -> None:
    """A background thread would leave it half imported for a moment, for others to stumble over."""
    code = (
        "import sys, llmtee\n"
        "there = lambda: 'httpx' in sys.modules\n"
        "exporters = [llmtee.HoneyHive(api_key='k', project='p')]\n"
        "recording = llmtee.Tee(exporters, deliver=False); before = there()\n"
        "delivering = llmtee.Tee(exporters); print(before, there())\n"
        "recording.close(); delivering.close()"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False True"
