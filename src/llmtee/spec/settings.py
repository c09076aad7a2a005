"""What every exporter can be told, and how a setting names its environment variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from llmtee.privacy import Predicate, Redaction, Where

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
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        # An error would quote what was passed, which may be a key.
        hide_input_in_errors=True,
    )

    vendor: ClassVar[str]
    """The name under which the vendor is registered."""
    needs_key: ClassVar[bool] = True
    """Whether nothing can be sent without ``api_key``."""

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
    """Of request bodies above 1 KB; by default as the vendor says; of most it is not known that they read any."""
    transport: Annotated[Literal["httpx", "aiohttp"], Env("LLMTEE_TRANSPORT")] = "httpx"
    """The HTTP library. ``aiohttp`` takes less processor time and comes with ``pip install 'llmtee[fast]'``."""
    quiet: float | None = Field(default=None, ge=0)
    """Seconds without a new event before a changed conversation is sent, or an idle one counts as ended; the
    vendor's own by default. Vendors of the event grain send at once."""
    patience: float | None = Field(default=None, ge=0)
    """Seconds that a conversation which keeps changing may be held back at most; the vendor's own by default."""
    carry: bool = False
    """Also write what the vendor's own fields cannot say into its free-form field, so that what is read back is
    exactly what was logged. Costs bytes; nothing where the vendor has no such field."""
    on_unknown: Literal["at_least_once", "at_most_once"] = "at_most_once"
    """When an answer was lost and the vendor cannot recognise a repetition: send again, or hold for you to decide."""
    where: Where | Predicate | None = None
    """Which events or conversations are sent: ``Where(agents=("support",))``, your own function of the item, or in a
    file ``"agent=support errors"``. The others count as skipped."""
    sample: float = Field(default=1.0, ge=0, le=1)
    """The share of sessions that is sent, the same ones in every process; what failed is always sent."""
    redact: Redaction | None = None
    """What is taken out before anything is rendered for this vendor: ``"email,card,properties.notes"``, or a
    ``Redaction``."""
    replay: bool = False
    """Whether an exporter that is new to an event log begins with what the log still holds; else with what comes."""

    @property
    def exporter(self) -> str:
        """The exporter's name in ``stats()``, reports and the event log."""
        return self.name or self.vendor
