"""Calls through LiteLLM, which is too large for the development environment: it gets one of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("litellm_program.py")


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A Python that has LiteLLM."""
    if importlib.util.find_spec("litellm") is not None:
        return sys.executable
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    made = str(tmp_path / "venv" / "bin" / "python")
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable"]
    got = subprocess.run(
        [made, *words, f"{ROOT}[server,litellm]"], capture_output=True, text=True, check=False
    )
    if got.returncode and re.search(
        r"No matching distribution|Could not find a version", got.stderr
    ):
        pytest.skip("no package index is reachable that has LiteLLM")
    assert got.returncode == 0, got.stderr
    return made


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_calls_are_recorded_as_litellm_makes_them(python: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        [python, PROGRAM, tmp_path / "log"],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["recorded"], told["duplicates"], told["bugs"]) == (5, 1, 0)
    first, streamed, failed, *others = told["events"]
    assert first["metadata"]["session_id"] == "s-1"
    assert first["metadata"]["tags"] == ["eu"]
    assert first["metadata"]["plan"] == "free"
    assert first["user_properties"]["user_id"] == "u-1"
    assert first["config"]["hyperparameters"] == {"temperature": 0.1}
    assert first["metadata"]["prompt_tokens"] == 12
    # The session of the block in which LiteLLM was called, though it tells of the end elsewhere.
    assert streamed["metadata"]["session_id"] == "s-2"
    assert streamed["outputs"]["content"] == first["outputs"]["content"]
    assert "first_token_at" in streamed["metadata"]
    assert "InternalServerError" in failed["error"]
    assert [event["metadata"].get("session_id") for event in others] == ["s-3", "s-3", None, None]
    # What a wrapped client below recorded was left to it; the call after it is one of its own.
    assert all("request" in event["metadata"]["source_ids"] for event in others[2:])
    assert "captured by openai and by litellm" in done.stderr


def test_without_litellm_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['litellm'] = None\n"
        "try:\n    import llmtee.capture.litellm\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
        "sys.modules['langchain_core'] = None\n"
        "try:\n    import llmtee.capture.langchain\n"
        "except ModuleNotFoundError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert "pip install 'llmtee[litellm]'" in first
    assert "pip install 'llmtee[langchain]'" in second
