"""The same tests with the oldest versions that are supported, in an environment of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("openai", "anthropic", "gemini", "otel", "langchain")
# The oldest OpenAI hands its HTTP library an argument that later versions of that do not know.
BESIDE = ("httpx<0.28",)


def oldest() -> list[str]:
    """What pyproject.toml says of each extra, at its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = [project["optional-dependencies"][extra][0] for extra in EXTRAS]
    assert all(re.fullmatch(r"[a-z-]+>=[\d.]+", one) for one in found)
    return [f"{one.replace('>=', '==')}.0" for one in found]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_oldest_versions(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    plugins = ["pytest-timeout", "pytest-xdist"]
    project = f"{ROOT}[cli,server,testing]"
    got = subprocess.run(
        [*pip, *oldest(), *BESIDE, *plugins, "--editable", project],
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode and re.search(
        r"No matching distribution|Could not find a version", got.stderr
    ):
        pytest.skip("no package index is reachable that has these versions")
    assert got.returncode == 0, got.stderr
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [python, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*words, ROOT / "tests" / "capture"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
