"""Clients of the providers' own classes that are traced from the start, to the default Tee."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

from llmtee.spec import Capture
from llmtee.tee import DEFAULT


def client_class(capture: Capture, name: str, *, extra: str, home: str) -> type[Any]:
    """A subclass of an SDK's client that is wrapped when it is made.

    Args:
        capture: of the SDK.
        name: of the SDK's class, and of the new one.
        extra: of llmtee that brings the SDK.
        home: the module that the class is to be found in.

    Raises:
        ImportError: the SDK is not installed; the error names the extra. Or it has no such client.
    """
    try:
        sdk = import_module(capture.package)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{capture.package}.".startswith(f"{error.name}."):
            raise
        raise ModuleNotFoundError(
            f"{home} needs {capture.title}'s SDK: pip install 'llmtee[{extra}]'",
            name=error.name,
        ) from None
    base = getattr(sdk, name, None)
    if base is None:
        raise ImportError(f"{capture.package} has no {name} in this version")

    @functools.wraps(base.__init__)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        base.__init__(self, *args, **kwargs)
        capture.wrap(self, DEFAULT)

    return type(name, (base,), {"__init__": make, "__module__": home, "__doc__": base.__doc__})
