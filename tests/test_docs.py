"""Everything that the README and the docs show is executed here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llmtee import HoneyHive, Tee, ToolRun
from llmtee.cli._app import app
from llmtee.cli._prometheus import exposition
from llmtee.spec import Env
from llmtee.testing import emulators
from llmtee.testing.providers import ProviderServer

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SERVERS = [
    emulators.VokerEmulator,
    emulators.HoneyHiveEmulator,
    emulators.InkeepEmulator,
    emulators.RoarkEmulator,
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[emulators.Emulator]]:
    """All four vendors, emulated, with keys and addresses in the environment as a user has them."""
    with ExitStack() as stack:
        running = [stack.enter_context(server()) for server in SERVERS]
        for server in running:
            fields = type(server.exporter()).model_fields
            for name, value in (("api_key", server.key), ("base_url", server.url)):
                [marker] = [found for found in fields[name].metadata if isinstance(found, Env)]
                monkeypatch.setenv(marker.names[0], value)
        yield running


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """A provider, with its key and address in the environment as a user has them."""
    with ProviderServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        yield server


KITS = [ROOT / "docs" / "writing-a-vendor.md", ROOT / "docs" / "writing-a-format.md"]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "python") and p not in KITS], ids=lambda p: p.name
)
def test_python_blocks_run(
    page: Path, vendors: list[emulators.Emulator], provider: ProviderServer
) -> None:
    namespace: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec", dont_inherit=True), namespace)
    if page.name == "README.md":
        assert all(server.requests for server in vendors)


SAME_EXAMPLES = """
from hypothesis import settings
settings.register_profile("same", deadline=None, max_examples=10, derandomize=True)
settings.load_profile("same")
"""


@pytest.mark.parametrize("page", KITS, ids=lambda p: p.name)
def test_the_example_passes_the_contract_kit(page: Path, tmp_path: Path) -> None:
    module = tmp_path / "test_acme.py"
    module.write_text("\n\n".join(blocks(page, "python")), "utf-8")
    (tmp_path / "conftest.py").write_text(SAME_EXAMPLES, "utf-8")
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:langsmith_plugin",
        str(module),
    ]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


DEMO = re.compile(r"(?<=<!-- demo -->\n```text\n).*?(?=```\n<!-- /demo -->)", re.DOTALL)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    """Numbers of requests and seconds vary from run to run. REGENERATE_README=1 puts the new output there."""
    words = [str(Path(sys.executable).with_name("llmtee")), "demo", "--output", str(tmp_path)]
    environ = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environ)
    shown = done.stdout.strip().replace(str(tmp_path), "/tmp/llmtee-demo-3k9x2")
    shown = "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
    readme = (ROOT / "README.md").read_text("utf-8")
    if os.environ.get("REGENERATE_README"):
        readme = DEMO.sub(lambda _: shown, readme)
        (ROOT / "README.md").write_text(readme, "utf-8")
    [block] = DEMO.findall(readme)
    assert _without_numbers(block) == _without_numbers(shown)


def _without_numbers(text: str) -> list[str]:
    return re.sub(r"[\d.,]+|[ ─]+", " ", text).splitlines()


ON_A_LOG = ("status", "dead", "replay", "locate", "vacuum")


def commands(*, on_a_log: bool = False) -> list[str]:
    lines = [
        line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()
    ]
    found = [line.removeprefix("$ ").partition("#")[0].strip() for line in lines]
    ours = [line for line in found if line.startswith("llmtee ") and " emulate " not in line]
    return [line for line in ours if (line.split()[1] in ON_A_LOG) == on_a_log]


def test_commands_on_an_event_log_run(
    tmp_path: Path, vendors: list[emulators.Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fault = emulators.faults.status(400, body={"error": {"message": "no project"}})
    vendors[1].always(fault)
    with Tee([HoneyHive(project="p")]) as tee:
        ids = [tee.record(ToolRun(name="lookup")) for _ in range(3)]
        tee.flush()
    lines = commands(on_a_log=True)
    assert {line.split()[1] for line in lines} == set(ON_A_LOG)
    for line in lines:
        words = shlex.split(line.replace("$ID", ids[0]))[1:]
        done = CliRunner().invoke(app, words)
        assert (done.exit_code, bool(done.stdout)) == (0, True), (line, done.output)
    [exported] = [len(path.read_bytes().splitlines()) for path in tmp_path.glob("*.jsonl")]
    assert exported == 3


def test_metrics_of_the_docs_exist(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "production.md").read_text("utf-8")
    wanted = set(re.findall(r"\bllmtee_[a-z_]+", page))
    with Tee([HoneyHive(project="p", api_key="k" * 9)]) as tee:
        text = exposition(tee.stats())
    assert wanted
    assert wanted <= set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("command", commands())
def test_commands_run(
    command: str, tmp_path: Path, vendors: list[emulators.Emulator], llmtee: Callable[..., Any]
) -> None:
    shutil.copy(ROOT / "fixtures" / "conversations" / "plain-chat.jsonl", tmp_path / "logs.jsonl")
    for name in ("support-export.csv", "support-export.toml"):
        shutil.copy(ROOT / "fixtures" / "tables" / name, tmp_path)
    done = llmtee(*shlex.split(command)[1:])
    assert done.code == 0, done.err
    assert done.out or (tmp_path / "out.jsonl").exists()


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert target.startswith("https://") or (page.parent / target).exists(), (
                f"{page.name}: {target}"
            )
