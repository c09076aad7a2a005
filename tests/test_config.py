from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import SecretStr, field_validator

from llmtee.config import event_log_dir, exporter_names, resolve
from llmtee.errors import ConfigError
from llmtee.spec import Env, ExporterSettings


class Acme(ExporterSettings):
    vendor: ClassVar[str] = "acme"
    api_key: Annotated[SecretStr | None, Env("ACME_API_KEY", "ACME_KEY")] = None
    base_url: Annotated[str, Env("ACME_URL")] = "https://acme.example/"
    project: Annotated[str | None, Env("ACME_PROJECT")] = None
    retries: Annotated[int, Env("ACME_RETRIES")] = 3
    pin: Annotated[SecretStr | None, Env("ACME_PIN")] = None

    @field_validator("pin")
    @classmethod
    def _four_digits(cls, pin: SecretStr | None) -> SecretStr | None:
        if pin is not None and len(pin.get_secret_value()) != 4:
            raise ValueError(f"not four digits: {pin.get_secret_value()}")
        return pin


KEY = {"ACME_API_KEY": "from-environment"}


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _key(settings: Acme) -> str | None:
    return None if settings.api_key is None else settings.api_key.get_secret_value()


def test_argument_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = _file(tmp_path, '[acme]\nproject = "file"\nretries = 5\ntimeout = 7.5\n')
    environ = {**KEY, "ACME_PROJECT": "environment"}
    assert resolve(Acme(project="argument"), environ=environ, file=file).project == "argument"
    assert resolve(Acme(), environ=environ, file=file).project == "environment"
    assert resolve(Acme(), environ=KEY, file=file).project == "file"
    assert resolve(Acme(), environ=KEY).project is None
    resolved = resolve(Acme(), environ=KEY, file=file)
    assert (resolved.retries, resolved.timeout) == (5, 7.5)


def test_the_first_variable_that_is_set_and_not_empty_counts() -> None:
    assert _key(resolve(Acme(), environ={"ACME_API_KEY": "", "ACME_KEY": "second"})) == "second"
    assert _key(resolve(Acme(api_key=None), environ=KEY)) == "from-environment"


def test_the_file_is_named_by_the_environment_or_found_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _file(tmp_path, '[acme]\napi_key = "from-file"\n')
    assert _key(resolve(Acme(), environ={"LLMTEE_CONFIG": str(file)})) == "from-file"
    home = tmp_path / "home"
    (home / ".config" / "llmtee").mkdir(parents=True)
    file.rename(home / ".config" / "llmtee" / "config.toml")
    monkeypatch.setenv("HOME", str(home))
    assert _key(resolve(Acme(), environ={})) == "from-file"


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "of-the-process")
    assert _key(resolve(Acme())) == "of-the-process"


def test_a_missing_key_names_argument_and_variables() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(Acme(), environ={})
    assert str(caught.value) == (
        "Acme needs an API key: pass Acme(api_key=…) or set ACME_API_KEY or ACME_KEY"
    )
    assert resolve(Acme(), environ={}, need_key=False).api_key is None


@pytest.mark.parametrize(
    ("environ", "toml", "parts"),
    [
        ({"ACME_RETRIES": "many"}, "", ["Acme: retries", "environment variable ACME_RETRIES"]),
        ({}, '[acme]\nretries = "many"\n', ["Acme: retries", "[acme] in", "config.toml"]),
        ({"ACME_PIN": "123456"}, "", ["Acme: pin", "environment variable ACME_PIN", "is invalid"]),
        ({}, "[acme]\ncolour = 1\n", ["config.toml", "no setting colour", "known: api_key"]),
        ({}, "acme = 1\n", ["config.toml", "must be a table"]),
        ({}, "[acme\n", ["config.toml", "is not TOML"]),
        ({"LLMTEE_CONFIG": "/nowhere/at/all"}, None, ["/nowhere/at/all", "LLMTEE_CONFIG"]),
    ],
)
def test_errors_name_the_field_and_where_it_stands_but_never_the_value(
    tmp_path: Path, environ: dict[str, str], toml: str | None, parts: list[str]
) -> None:
    file = None if toml is None else _file(tmp_path, toml)
    with pytest.raises(ConfigError) as caught:
        resolve(Acme(), environ={**KEY, **environ}, file=file)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    for value in ("123456", "many", "from-environment"):
        assert value not in str(caught.value)


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve(Acme(), environ=KEY, file=tmp_path)


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ("https://acme.example/", "https://acme.example"),
        ("https://acme.example/prefix//", "https://acme.example/prefix"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_good_addresses(given: str, resolved: str) -> None:
    assert resolve(Acme(base_url=given), environ=KEY).base_url == resolved


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("acme.example", "must begin with https://"),
        ("ftp://acme.example", "must begin with https://"),
        ("https://", "must begin with https://"),
        ("https://acme.example:port", "is not an address"),
        ("https://user:pass@acme.example", "no user, password"),
        ("https://acme.example/?key=abc", "no user, password"),
        ("http://acme.example", "the key would travel in clear"),
    ],
)
def test_bad_addresses(given: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        resolve(Acme(base_url=given), environ=KEY)
    with pytest.raises(ConfigError, match="environment variable ACME_URL"):
        resolve(Acme(), environ={**KEY, "ACME_URL": given})


def test_plain_http_to_another_machine_has_to_be_asked_for() -> None:
    environ: dict[str, Any] = {**KEY, "LLMTEE_ALLOW_HTTP": "1"}
    assert (
        resolve(Acme(base_url="http://acme:8080"), environ=environ).base_url == "http://acme:8080"
    )


def test_the_directory_of_the_event_log(tmp_path: Path) -> None:
    file = _file(tmp_path, 'dir = "/from/file"\n')
    environ = {"LLMTEE_DIR": "/from/environment"}
    assert event_log_dir("/given", environ=environ, file=file) == Path("/given")
    assert event_log_dir(environ=environ, file=file) == Path("/from/environment")
    assert event_log_dir(environ={}, file=file) == Path("/from/file")
    assert event_log_dir(environ={}) == Path(".llmtee")
    with pytest.raises(ConfigError, match="dir in"):
        event_log_dir(environ={}, file=_file(tmp_path, "dir = 3\n"))


# ── several exporters of one vendor ─────────────────────────────────────────────────────────────────────────────────

SECTIONS = """
[acme]
project = "all"
retries = 5

[acme.eu]
api_key = "eu-key"
project = "eu"

[acme.us]
"""


def test_a_section_goes_before_the_environment_and_inherits_the_rest(tmp_path: Path) -> None:
    file = _file(tmp_path, SECTIONS)
    environ = {**KEY, "ACME_PROJECT": "environment"}
    eu = resolve(Acme(name="acme.eu"), environ=environ, file=file)
    assert (_key(eu), eu.project, eu.retries) == ("eu-key", "eu", 5)
    us = resolve(Acme(name="acme.us"), environ=KEY, file=file)
    assert (_key(us), us.project, us.retries) == ("from-environment", "all", 5)
    assert resolve(Acme(name="acme.eu", project="argument"), file=file).project == "argument"
    plain = resolve(Acme(), environ=KEY, file=file)
    assert (_key(plain), plain.project) == ("from-environment", "all")
    assert resolve(Acme(name="eu"), environ=KEY, file=file).project == "all"
    assert exporter_names(Acme, environ={}, file=file) == ["acme.eu", "acme.us"]
    assert exporter_names(Acme, environ={}) == []


def test_a_section_is_checked_as_its_vendor_is(tmp_path: Path) -> None:
    wrong = _file(tmp_path, "[acme.eu]\ncolour = 1\n")
    with pytest.raises(
        ConfigError, match=r"\[acme\.eu\] in .* has no setting colour; known: api_key"
    ):
        resolve(Acme(name="acme.eu"), environ=KEY, file=wrong)
    resolve(Acme(), environ=KEY, file=wrong)  # which is another one's
    invalid = _file(tmp_path, '[acme.eu]\nretries = "many"\n')
    with pytest.raises(ConfigError, match=r"retries from \[acme\.eu\] in"):
        resolve(Acme(name="acme.eu"), environ=KEY, file=invalid)
