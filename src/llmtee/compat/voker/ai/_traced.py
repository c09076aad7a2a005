"""A provider's client whose calls become events of a `VokerClient`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from llmtee.compat.voker.client import VokerClient


def traced(
    package: str, name: str, *, extra: str, base_argument: str, resources: Sequence[str], home: str
) -> type[Any]:
    """A subclass of an SDK's client that is wrapped when it is made, as ``tee.wrap`` does.

    Args:
        package: of the SDK.
        name: of the SDK's class, and of the new one.
        extra: of llmtee that brings the SDK.
        base_argument: what Voker's SDK calls the client whose connections are used instead of an own one.
        resources: attributes of a client that are taken over from that one.
        home: the module that the class is to be found in.

    Raises:
        ModuleNotFoundError: the SDK is not installed; the error names the extra.
    """
    try:
        base = getattr(import_module(package), name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{package}.".startswith(f"{error.name}."):
            raise
        hint = f"{home} needs the provider's SDK: pip install 'llmtee[{extra}]'"
        raise ModuleNotFoundError(hint, name=error.name) from None

    def init(
        self: Any, voker_client: VokerClient | None = None, inner: Any = None, **kwargs: Any
    ) -> None:
        inner = kwargs.pop(base_argument, inner)
        base.__init__(self, **kwargs)
        client = VokerClient() if voker_client is None else voker_client
        wrap: Any = client.tee
        wrap.wrap(self)
        if inner is not None:
            wrap.wrap(inner)
            for resource in resources:
                if hasattr(inner, resource):
                    setattr(self, resource, getattr(inner, resource))

    about = f"``{package}.{name}``, whose calls become events at Voker."
    return type(name, (base,), {"__init__": init, "__module__": home, "__doc__": about})
