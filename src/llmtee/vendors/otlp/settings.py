"""What a user can tell the OTLP exporter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr

from llmtee.spec import Env, ExporterSettings
from llmtee.vendors.otlp.wire import TRACES_PATH

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _headers(value: Any) -> Any:
    """Headers from OpenTelemetry's own form of them, ``key=value,key=value`` with percent-encoded values."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, str):
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if not all(sign for _, sign, _ in pairs):
            raise ValueError("must be key=value, several with commas between")
        value = {name.strip(): unquote(text.strip()) for name, _, text in pairs}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            text = inner.get_secret_value() if isinstance(inner, SecretStr) else inner
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError("a name is not one of a header")
            if not isinstance(text, str) or not text.isascii() or not text.isprintable():
                raise ValueError("a value holds what no header can, such as a line end")
    return value


def _base(value: Any) -> Any:
    """The address without the path of the signal, which those who copy it from a backend's page often have."""
    return value.strip().rstrip("/").removesuffix(TRACES_PATH) if isinstance(value, str) else value


class OTLP(ExporterSettings):
    """An exporter to any backend that takes OTLP over HTTP: ``OTLP(endpoint="https://…", headers={"x-key": "…"})``.

    ``endpoint`` is another name for ``base_url``.
    """

    vendor: ClassVar[str] = "otlp"
    needs_key: ClassVar[bool] = False

    api_key: Annotated[SecretStr | None, Env("LLMTEE_OTLP_API_KEY")] = None
    """A bearer token, for backends that take one; others have their key in `headers`, and a collector beside the
    application has none."""
    base_url: Annotated[
        str,
        Env(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "LLMTEE_OTLP_BASE_URL",
        ),
        BeforeValidator(_base),
    ] = Field("http://localhost:4318", validation_alias=AliasChoices("endpoint", "base_url"))
    """Where the backend answers, without ``/v1/traces``, which may be there all the same."""
    headers: Annotated[
        dict[str, SecretStr],
        Env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
        BeforeValidator(_headers),
    ] = {}
    """Of every request, such as ``{"x-honeycomb-team": "…"}``; in the environment ``key=value,key=value``."""
    service_name: Annotated[str, Env("OTEL_SERVICE_NAME")] = Field(default="llmtee", min_length=1)
    """``service.name`` of the resource that the spans come from."""
