"""What every exporter can be told, and how a setting names its environment variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Encoding = Literal["gzip"]
"""How a request's body may be compressed, as ``Content-Encoding`` says it."""


@dataclass(frozen=True, slots=True)
class Env:
    """Marks a setting that may come from the environment: ``Annotated[SecretStr | None, Env("VOKER_API_KEY")]``.

    The first variable that is set and not empty wins. Reading them is ``llmtee.config``'s job, never the vendor's.
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


class ExporterSettings(BaseModel):
    """Base of each vendor's settings: an exporter as a user writes it, ``HoneyHive(project="Simple RAG")``.

    A subclass names its vendor, adds the vendor's own settings, and redeclares ``api_key`` and ``base_url`` with
    their variables and default.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    vendor: ClassVar[str]
    """The name under which the vendor is registered."""

    api_key: SecretStr | None = None
    """The vendor's key. A type that never prints itself."""
    base_url: str = ""
    """Where the vendor answers, without a trailing slash."""
    name: str | None = None
    """Tells two exporters of one vendor apart in ``stats()`` and in the event log; the vendor's name by default."""
    timeout: float = Field(default=30.0, gt=0)
    """Seconds that one request may take."""
    concurrency: int | None = Field(default=None, ge=1)
    """Requests at a time; the vendor's own limit by default."""
    rate: float | None = Field(default=None, gt=0)
    """Requests a second at most, evenly spaced; no limit by default, other than what the vendor's answers ask for."""
    max_items: int | None = Field(default=None, ge=1)
    """Items in one request; the vendor's own limit by default."""
    max_bytes: int | None = Field(default=None, ge=1)
    """Bytes of one request's body before it is compressed; the vendor's own limit by default."""
    compression: Encoding | Literal["none"] | None = None
    """Of request bodies above 1 KB; by default as the vendor says, and none of the four says that it reads any."""
    transport: Annotated[Literal["httpx", "aiohttp"], Env("LLMTEE_TRANSPORT")] = "httpx"
    """The HTTP library. ``aiohttp`` is several times faster and comes with ``pip install 'llmtee[fast]'``."""
    quiet: float | None = Field(default=None, ge=0)
    """Seconds without a new event before a changed conversation is sent, or an idle one counts as ended; the
    vendor's own by default. Vendors of the event grain send at once."""
    patience: float | None = Field(default=None, ge=0)
    """Seconds that a conversation which keeps changing may be held back at most; the vendor's own by default."""
    on_unknown: Literal["at_least_once", "at_most_once"] = "at_most_once"
    """When an answer was lost and the vendor cannot recognise a repetition: send again, or hold for you to decide."""

    @property
    def exporter(self) -> str:
        """The exporter's name in ``stats()``, reports and the event log."""
        return self.name or self.vendor
