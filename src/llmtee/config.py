"""Settings from outside the code: argument > environment > file > default.

Vendors only *name* their variables (``Env`` in a field's annotation); reading them happens here. The file is
TOML, named by ``LLMTEE_CONFIG`` or found at ``~/.config/llmtee/config.toml``::

    dir = "/var/lib/myapp/llmtee"      # the event log

    [honeyhive]                        # any setting of the exporter, by its own name
    project = "Simple RAG"

    [honeyhive.eu]                     # another exporter of the same vendor, HoneyHive(name="honeyhive.eu")
    api_key = "…"                      # what is not said here is as in [honeyhive]

What stands in the section of such an exporter goes before the environment, which has only one variable for all of a
vendor's.

An error names the setting, the variable and where the bad value stands; never the value itself, which may be a key.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from llmtee import registry
from llmtee.errors import ConfigError, UnknownName
from llmtee.spec import Env, ExporterSettings

S = TypeVar("S", bound=ExporterSettings)

CONFIG_VARIABLE = "LLMTEE_CONFIG"
DIR_VARIABLE = "LLMTEE_DIR"
PLAIN_HTTP_VARIABLE = "LLMTEE_ALLOW_HTTP"
DEFAULT_FILE = Path("~/.config/llmtee/config.toml")
DEFAULT_DIR = Path(".llmtee")


def resolve(
    settings: S,
    *,
    environ: Mapping[str, str] | None = None,
    file: str | Path | None = None,
    need_key: bool = True,
) -> S:
    """``settings`` with every field that was not given filled from the environment, then the file.

    A field given as ``None`` counts as not given. Any field may stand in the file; the environment has those that
    carry an ``Env`` marker.

    Args:
        settings: an exporter as the user wrote it.
        environ: the environment; that of the process by default.
        file: the settings file; see the module's text for the default.
        need_key: whether a missing key is an error; not so where nothing is sent.

    Raises:
        ConfigError: the key is missing, a value is invalid, or the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    table = _vendor_table(settings, environ, file)
    given = {
        name: value
        for name in settings.model_fields_set
        if (value := getattr(settings, name)) is not None
    }
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, field in type(settings).model_fields.items():
        if name in given:
            continue
        if name in table.own:
            found[name], origins[name] = table.own[name], f"[{settings.name}] in {table.path}"
        elif (variable := _variable(field, environ)) is not None:
            found[name], origins[name] = environ[variable], f"environment variable {variable}"
        elif name in table.values:
            found[name], origins[name] = table.values[name], f"[{settings.vendor}] in {table.path}"
    resolved = _build(type(settings), given, found, origins) if found else settings
    if need_key:
        _require_key(resolved)
    base_url = _checked_url(resolved, environ, origins.get("base_url", "base_url="))
    key = _checked_key(resolved, origins.get("api_key", "api_key="))
    return resolved.model_copy(update={"base_url": base_url, "api_key": key})


def event_log_dir(
    dir: str | Path | None = None,  # noqa: A002 - the name that users type
    *,
    environ: Mapping[str, str] | None = None,
    file: str | Path | None = None,
) -> Path:
    """The directory of the event log: ``dir``, else ``LLMTEE_DIR``, else ``dir`` in the file, else ``./.llmtee``.

    Raises:
        ConfigError: the file cannot be read, or its ``dir`` is not text.
    """
    environ = os.environ if environ is None else environ
    if dir is not None:
        return Path(dir).expanduser()
    if environ.get(DIR_VARIABLE):
        return Path(environ[DIR_VARIABLE]).expanduser()
    path, content = _read_file(environ, file)
    value = content.get("dir", str(DEFAULT_DIR))
    if not isinstance(value, str):
        raise ConfigError(f"dir in {path} must be text, such as dir = '/var/lib/myapp/llmtee'")
    return Path(value).expanduser()


def exporter_names(
    kind: type[ExporterSettings],
    *,
    environ: Mapping[str, str] | None = None,
    file: str | Path | None = None,
) -> list[str]:
    """The names of a vendor's further exporters, each a section of the settings file: ``honeyhive.eu``.

    Raises:
        ConfigError: the file cannot be read.
    """
    path, content = _read_file(os.environ if environ is None else environ, file)
    _, sections = _split(kind, content, path)
    return [f"{kind.vendor}.{section}" for section in sections]


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    values: Mapping[str, Any]
    """Of the vendor."""
    own: Mapping[str, Any]
    """Of this very exporter."""


def _vendor_table(
    settings: ExporterSettings, environ: Mapping[str, str], file: str | Path | None
) -> _Table:
    path, content = _read_file(environ, file)
    values, sections = _split(type(settings), content, path)
    vendor, _, section = (settings.name or "").partition(".")
    own = sections.get(section, {}) if vendor == settings.vendor else {}
    known = type(settings).model_fields
    for title, table in ((settings.vendor, values), (settings.name, own)):
        if unknown := sorted(table.keys() - known.keys()):
            raise ConfigError(
                f"[{title}] in {path} has no setting {', '.join(unknown)}; "
                f"known: {', '.join(sorted(known))}"
            )
    return _Table(path, values, own)


def _split(
    kind: type[ExporterSettings], content: Mapping[str, Any], path: Path
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A vendor's settings, and the sections of its further exporters."""
    table = content.get(kind.vendor, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{kind.vendor} in {path} must be a table: [{kind.vendor}]")
    sections = {
        name: value
        for name, value in table.items()
        if isinstance(value, dict) and name not in kind.model_fields
    }
    return {name: value for name, value in table.items() if name not in sections}, sections


def _read_file(
    environ: Mapping[str, str], file: str | Path | None
) -> tuple[Path, Mapping[str, Any]]:
    named = file or environ.get(CONFIG_VARIABLE)
    path = Path(named or DEFAULT_FILE).expanduser()
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not named:
            return path, {}
        said = "" if file else f", named by {CONFIG_VARIABLE},"
        raise ConfigError(f"the settings file {path}{said} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # Neither message quotes more of the file than a character.
        raise ConfigError(f"the settings file {path} is not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error.strerror}") from None


def _markers(field: FieldInfo) -> list[str]:
    return [name for marker in field.metadata if isinstance(marker, Env) for name in marker.names]


def _variable(field: FieldInfo, environ: Mapping[str, str]) -> str | None:
    return next((name for name in _markers(field) if environ.get(name)), None)


def _build(
    kind: type[S], given: Mapping[str, Any], found: Mapping[str, Any], origins: Mapping[str, str]
) -> S:
    try:
        return kind.model_validate({**given, **found})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        place = origins.get(name, f"{kind.__name__}({name}=…)")
        # pydantic's own messages never quote the input, but those of a vendor's validator may.
        reason = "is invalid" if first["type"] == "value_error" else f"is invalid: {first['msg']}"
        raise ConfigError(f"{kind.__name__}: {name} from {place} {reason}") from None


def _require_key(settings: ExporterSettings) -> None:
    if not settings.needs_key:
        return
    if settings.api_key is not None and settings.api_key.get_secret_value().strip():
        return
    kind = type(settings)
    variables = " or ".join(_markers(kind.model_fields["api_key"]))
    way_out = f" or set {variables}" if variables else ""
    raise ConfigError(
        f"{_title(settings)} needs an API key: pass {kind.__name__}(api_key=…){way_out}"
    )


def _checked_key(settings: ExporterSettings, origin: str) -> SecretStr | None:
    """The key without the line end that a key read from a file has.

    A header cannot hold more than visible ASCII; the HTTP library would say so by quoting the key.
    """
    if settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value().strip()
    if not key.isascii() or not key.isprintable():
        raise ConfigError(
            f"{type(settings).__name__}: api_key from {origin} holds a character that no key has, such as a line end "
            "or a letter with an accent; copy it again"
        )
    return SecretStr(key)


def _title(settings: ExporterSettings) -> str:
    try:
        return registry.vendor(settings.vendor).title
    except UnknownName:
        return type(settings).__name__


def _checked_url(settings: ExporterSettings, environ: Mapping[str, str], origin: str) -> str:
    """The address without a trailing slash.

    Plain HTTP is refused for any host but this machine, because it would show the key to the network. Who needs it,
    say inside a compose network, says so with ``LLMTEE_ALLOW_HTTP=1``.
    """
    where = f"{type(settings).__name__}: base_url from {origin}"
    try:
        url = urlsplit(settings.base_url.strip())
        host = url.hostname
        _ = url.port  # raises ValueError when it is not a number
    except ValueError:
        raise ConfigError(f"{where} is not an address") from None
    if url.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{where} must begin with https:// (or http://) and name a host")
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise ConfigError(f"{where} must hold no user, password, query or fragment")
    if url.scheme == "http" and not is_loopback(host) and not environ.get(PLAIN_HTTP_VARIABLE):
        raise ConfigError(
            f"{where} is plain http to {host}: the key would travel in clear; use https, "
            f"or set {PLAIN_HTTP_VARIABLE}=1 if you trust that network"
        )
    return settings.base_url.strip().rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
