"""The Tee behind each `VokerClient`, and what its settings are."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import SecretStr

from llmtee import config
from llmtee.errors import ConfigError
from llmtee.spec import Env
from llmtee.tee import Tee
from llmtee.vendors.voker import Voker


class VokerSettings(Voker):
    """An exporter to Voker at the address that Voker's own SDK uses."""

    base_url: Annotated[str, Env("VOKER_BASE_URL", "LLMTEE_VOKER_BASE_URL")] = (
        "https://evals.voker.ai"
    )


class MissingCredentials(ConfigError, ValueError):
    """There is no key. A ``ValueError``, as in Voker's own SDK."""


def settings(base_url: str | None, api_key: str | None) -> VokerSettings:
    """The settings that a client's arguments make, with what environment and file add.

    Raises:
        MissingCredentials: there is no key.
        ConfigError: a setting is invalid.
    """
    given = {"base_url": base_url, "api_key": None if api_key is None else SecretStr(api_key)}
    chosen = {name: value for name, value in given.items() if value is not None}
    resolved = config.resolve(VokerSettings.model_validate(chosen), need_key=False)
    if resolved.api_key is None or not resolved.api_key.get_secret_value():
        _no_key()
    return resolved


def _no_key() -> NoReturn:
    raise MissingCredentials("Voker needs a key: pass api_key=… or set VOKER_API_KEY")


@dataclass
class _Lent:
    tee: Tee
    to: int = 0


_lock = threading.Lock()
_lent: dict[tuple[str, str, Path], _Lent] = {}
"""One Tee for all clients of one account in a process: they would otherwise wait for one another at the same event log."""


def borrow(own: VokerSettings, api_key: str | None) -> Tee:
    """The Tee of an account, to be given back.

    Its event log is where ``Tee`` has it. A key that was passed in the code has one of its own below that, since
    programs pass keys where they write to several accounts: what waits for one must not be sent to another.
    """
    key = own.api_key.get_secret_value() if own.api_key is not None else ""
    directory = config.event_log_dir()
    if api_key is not None:
        account = hashlib.sha256(f"{own.base_url} {key}".encode()).hexdigest()
        directory = directory / f"voker-{account[:12]}"
    with _lock:
        place = (own.base_url, key, directory.absolute())
        if place not in _lent:
            _lent[place] = _Lent(Tee([own], dir=directory))
        _lent[place].to += 1
        return _lent[place].tee


def give_back(tee: Tee, timeout: float) -> None:
    """Sends what is pending, and closes the Tee when nobody else has it; takes ``timeout`` seconds at most."""
    with _lock:
        [(place, lent)] = [(place, lent) for place, lent in _lent.items() if lent.tee is tee]
        lent.to -= 1
        last = lent.to == 0
        if last:
            del _lent[place]
    if last:
        tee.close(timeout)
    else:
        tee.flush(timeout)
