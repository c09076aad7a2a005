from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import typer.main
from typer.testing import CliRunner

from llmtee import registry
from llmtee._version import __version__
from llmtee.cli._app import COMMANDS, app
from llmtee.cli._check import check_vendor
from llmtee.testing.emulators import Answer, Call, Emulator, Route, emulator_class

Run = Callable[..., Any]


def test_version_and_help(llmtee: Run) -> None:
    assert llmtee("--version").out == f"llmtee {__version__}\n"
    helped = llmtee("--help")
    assert helped.code == 0
    for name in COMMANDS:
        assert name in helped.out
    wrong = llmtee("convrt")
    assert wrong.code == 2
    assert "did you mean 'convert'?" in wrong.err


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_command_is_imported_when_it_runs(option: str) -> None:
    heavy = ("httpx", "pydantic", "sqlite3", "llmtee.delivery", "llmtee.tee", "llmtee.cli.send")
    code = (
        "import contextlib, sys\nfrom llmtee.cli import main\n"
        f"sys.argv = ['llmtee', {option!r}]\nwith contextlib.suppress(SystemExit): main()\n"
        f"sys.exit(' '.join(name for name in {heavy} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_each_command_what_its_help_begins_with(name: str) -> None:
    ended = CliRunner().invoke(app, [name, "--help"], prog_name="llmtee")
    assert ended.exit_code == 0
    text = ended.output.partition("\n\n")[2].partition("\n\n")[0]
    assert " ".join(text.split()) == COMMANDS[name]
    for help_ in [ended.output] if "Commands:" not in ended.output else _helps(name):
        assert f"Example: llmtee {name}" in help_
        assert "--json" in help_


def _helps(group: str) -> list[str]:
    """What each command of a group says of itself."""
    made = typer.main.get_command(import_module(f"llmtee.cli.{group}").app)
    names = made.list_commands(None)  # type: ignore[attr-defined]
    return [CliRunner().invoke(app, [group, name, "--help"]).output for name in names]


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_line_names_it(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from llmtee.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'the command line needs: pip install "llmtee[cli]"\n'
    assert done.stdout == ""


def test_formats(llmtee: Run) -> None:
    names = [row["name"] for row in llmtee("formats", "--json").json]
    assert {"auto", "llmtee", "openai-chat", "inkeep"} <= set(names)
    assert "openai-chat" in llmtee("formats").out


def test_a_poor_locale_is_no_reason_to_fail(llmtee: Run) -> None:
    listed = llmtee("vendors", "list", PYTHONIOENCODING="ascii")
    assert (listed.code, listed.err) == (0, "")
    assert "honeyhive" in listed.out


def test_schemas_are_listed_and_printed(llmtee: Run) -> None:
    names = [row["name"] for row in llmtee("schema", "--json").json]
    assert {"event", "conversation", "inkeep/conversation"} <= set(names)
    assert llmtee("schema", "inkeep/conversation").json["$schema"].endswith("2020-12/schema")
    unknown = llmtee("schema", "inkeep/conversations")
    assert unknown.code == 2
    assert "did you mean 'inkeep/conversation'?" in unknown.err


def test_vendors_are_listed_and_shown(llmtee: Run) -> None:
    cards = {card["name"]: card for card in llmtee("vendors", "list", "--json").json}
    assert {"honeyhive", "inkeep", "roark", "voker"} <= set(cards)
    assert cards["roark"]["grain"] == "conversation"
    shown = llmtee("vendors", "show", "roark")
    assert "ROARK_API_BEARER_TOKEN" in shown.out
    assert llmtee("vendors", "show", "roark", "--json").json == cards["roark"]
    listed = llmtee("vendors", "list").out
    assert all(len(line) <= 100 for line in listed.splitlines())
    assert "VOKER_API_KEY" in listed


def test_a_vendor_that_nobody_knows(llmtee: Run) -> None:
    shown = llmtee("vendors", "show", "honeybee")
    assert shown.code == 2
    assert "did you mean 'honeyhive'?" in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("name", ["honeyhive", "inkeep", "roark", "voker"])
def test_check_tells_a_right_key_from_a_wrong_one(llmtee: Run, name: str, tmp_path: Path) -> None:
    with emulator_class(name)() as emulator:
        config = tmp_path / "config.toml"
        config.write_text(f'[{name}]\nbase_url = "{emulator.url}"\napi_key = "{emulator.key}"\n')
        right = llmtee("vendors", "check", name, LLMTEE_CONFIG=str(config))
        assert (right.code, right.err) == (0, "")
        config.write_text(f'[{name}]\nbase_url = "{emulator.url}"\napi_key = "no-such-key"\n')
        wrong = llmtee("vendors", "check", name, "--json", LLMTEE_CONFIG=str(config))
        assert wrong.code == 1
        assert (wrong.json["ok"], wrong.json["status"]) == (False, 401)
        assert "no-such-key" not in wrong.out
    nobody = llmtee("vendors", "check", name, LLMTEE_CONFIG=str(config))
    assert nobody.code == 1
    assert "not sent" in nobody.out


def test_check_is_not_fooled_by_a_page_of_html() -> None:
    class Proxy(Emulator):
        vendor = "inkeep"
        routes: ClassVar = (Route("GET", "/conversations", "page", write=False),)

        def page(self, call: Call) -> Answer:
            return Answer(200, "<html>Sign in</html>", {"content-type": "text/html"})

    with Proxy() as proxy:
        checked = check_vendor(registry.vendor("inkeep"), proxy.exporter())
    assert not checked.ok
    assert "base_url" in checked.says


def test_check_without_a_key_names_the_variable(llmtee: Run) -> None:
    checked = llmtee("vendors", "check", "voker")
    assert checked.code == 2
    assert "VOKER_API_KEY" in checked.err
    assert "Traceback" not in checked.err


def test_emulate_serves_and_shows_until_interrupted(script: Path) -> None:
    process = subprocess.Popen(
        [script, "emulate", "inkeep", "voker", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        inkeep, voker = (json.loads(process.stdout.readline()) for _ in range(2))
        assert (inkeep["vendor"], voker["vendor"]) == ("inkeep", "voker")
        assert voker["environment"]["VOKER_API_KEY"] == voker["key"]
        answer = httpx.post(inkeep["url"] + "/conversations", json={"a": 1}, trust_env=False)
        assert answer.status_code == 401
        seen = json.loads(process.stdout.readline())
        assert (seen["vendor"], seen["path"]) == ("inkeep", "/conversations")
        assert (seen["status"], seen["body"]) == (401, {"a": 1})
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert err == "llmtee: interrupted\n"


def test_emulate_on_a_port_that_is_taken(llmtee: Run) -> None:
    with emulator_class("inkeep")() as taken:
        ended = llmtee("emulate", "inkeep", "--port", taken.port)
    assert ended.code == 2
    assert f"cannot listen on 127.0.0.1:{taken.port}" in ended.err
    assert llmtee("emulate", "hubspot").code == 2


def test_a_reader_that_goes_away_is_no_error(script: Path) -> None:
    shell = f'{script} schema conversation | head -n 1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == "{"
    assert done.stderr == ""
