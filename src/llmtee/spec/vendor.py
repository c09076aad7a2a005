"""`Vendor`: everything llmtee knows of one analytics product, as one frozen value.

A plug-in exports such a value from an entry point in the group ``llmtee.vendors`` and proves it with
``llmtee.testing.contract``. All functions are pure: values in, values out, no clock, no environment, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from llmtee.model import Item, Supplement
from llmtee.spec.reading import Reader
from llmtee.spec.settings import Encoding, ExporterSettings
from llmtee.spec.verdict import Verdict
from llmtee.spec.wire import Exchange, Request, WireItem

S = TypeVar("S", bound=ExporterSettings)

State = Mapping[str, Any]
"""What ``prepare`` obtained from the vendor, such as ``{"fingerprint_id": …}``; empty before."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold. A setting of the exporter overrides each."""

    items: int = 1
    bytes: int = 5_000_000
    """Of the body as UTF-8 JSON."""
    concurrency: int = 4
    """Requests at a time."""
    encodings: tuple[Encoding, ...] = ()
    """How a request's body may be compressed, best first; none unless the vendor says that it reads it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capability card: what a vendor's API lets one do, under the given settings."""

    past_times: bool
    """Whether an item can be dated in the past."""
    idempotent_by: str | None
    """The id by which the vendor recognises a repetition; ``None``: sending twice stores twice."""
    partial_answers: bool
    """Whether one answer can accept some items and refuse others."""
    reads_back: bool
    """Whether what was written can be read again through the API."""
    notes: tuple[str, ...] = ()
    """What else a user should know, a sentence each."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait and when to stop; tenacity carries it out.

    The wait before try *n + 1* is ``initial * multiplier ** (n - 1)`` plus a random part of up to ``jitter``
    seconds, at most ``maximum``, and at least what the vendor asks for.
    """

    initial: float = 0.5
    """Seconds."""
    multiplier: float = 2.0
    jitter: float = 0.5
    """Seconds."""
    maximum: float = 60.0
    """Seconds."""
    attempts: int | None = None
    """Tries before an item becomes a dead letter; ``None``: as many as fit in ``give_up_after``."""
    give_up_after: float = 24 * 3600.0
    """Seconds since the first try before an item becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class CarrySlot:
    """Where a carry goes: what makes the vendor's payloads reversible."""

    path: str
    """In a wire item: a key, usually ``llmtee``, in a field that holds anything, such as ``metadata.llmtee``.
    It must hold a text of any length, and ``parse`` must not mind when it is absent. The field is an object, or a list
    of keys and typed values as OTLP has it."""
    items: tuple[str, ...] = ("",)
    """Where wire items stand in what ``parse`` takes, such as ``events[]``; empty for the payload itself."""


def _no_prepare(settings: Any, state: State) -> Request | None:
    return None


def _keep_state(exchange: Exchange, settings: Any, state: State) -> State | Verdict:
    return state


def _cannot_shrink(item: WireItem, limit: int, settings: Any) -> WireItem | None:
    return None


def _as_it_is(item: Item | Supplement, settings: Any) -> Item | Supplement | None:
    return item


def _as_they_are(settings: Any) -> Any:
    return settings


def _tell_nothing(payload: Any) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Vendor(Generic[S]):
    """One analytics product."""

    name: str
    """As registered and as typed: ``honeyhive``."""
    title: str
    """As people write it: ``HoneyHive``."""
    settings: type[S]
    grain: Literal["event", "conversation"]
    """What one write holds."""
    semantics: Literal["append", "upsert"]
    limits: Limits
    capabilities: Callable[[S], Capabilities]
    retry: RetryPolicy
    docs: str = ""
    """Address of the vendor's own page for the write endpoint."""

    send_when: Literal["changed", "ended"] = "changed"
    """For the conversation grain: after each change (upsert), or once when it ended (append)."""
    quiet: float = 0.0
    """Seconds without a new event before a changed conversation is sent, or an idle one counts as ended."""
    patience: float | None = None
    """Seconds that a conversation which keeps changing may be held back at most."""

    auth: Callable[[S], Mapping[str, str]]
    """Headers that authenticate; raises ``ConfigError`` where the key is missing."""
    render: Callable[[Item, S], WireItem]
    """An item of the vendor's grain to the vendor's shape. Total: any valid item renders or is skipped with a reason."""
    pack: Callable[[Sequence[WireItem], S, State], list[Request]]
    """Cuts items to count and bytes, and builds the requests. Never mixes, drops or reorders within a session."""
    judge: Callable[[Exchange, S], list[Verdict]]
    """One verdict for each of ``exchange.request.items``, by position, from status *and* body."""
    parse: Callable[[Any], list[Item]]
    """The way back: a wire item, a request body, or what the vendor's read API answers. Raises ``InputError``."""
    detect: Callable[[Any], str | None] = _tell_nothing
    """Why a payload is surely this vendor's, in a few words; ``None`` where that cannot be told from what it holds."""
    free_form: tuple[str, ...] = ()
    """Paths of the fields of a wire item that hold anything, such as ``metadata`` or ``messages[].properties``:
    what comes back only from there is *parked*. In a list of keys and values, the rest of the path is a key."""
    carry: CarrySlot | None = None
    """Where the exact remainder of an item goes when an exporter says ``carry=True``; ``None`` where the vendor has no
    free-form field. ``render``, ``parse`` and ``shrink`` need not know: see `carrying`."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a canonical field is lost, by its path or the start of it, for the ledger."""
    shrink: Callable[[WireItem, int, S], WireItem | None] = _cannot_shrink
    """The item cut to at most so many bytes by declared steps, or ``None`` if it cannot be."""
    prepare: Callable[[S, State], Request | None] = _no_prepare
    """The request that must succeed before the first write; ``None`` when nothing is needed."""
    prepared: Callable[[Exchange, S, State], State | Verdict] = _keep_state
    """The new state from the answer to ``prepare``, or the verdict of its failure."""
    supplement: Callable[[Supplement, S], WireItem] | None = None
    """A supplement to the vendor's shape, or skipped with a reason; ``None`` where the vendor has no place for any. Total,
    like ``render``. ``pack``, ``judge`` and ``shrink`` get what it gives; a request never holds it beside anything else. It
    is not asked for another vendor's `VendorRequest`."""
    read_supplement: Callable[[Any], Supplement] | None = None
    """The way back, from the body that ``supplement`` gave, for the ledger. Raises ``InputError``."""
    amend: Callable[[Any, Any], Any] | None = None
    """The body of an item, as ``render`` gave it, after a body that ``supplement`` gave was merged into it by the vendor;
    ``None`` where that is about another item. For vendors where a supplement becomes part of what it is about, so that
    only there it can be read again."""
    read: Callable[[S], Reader] | None = None
    """Reads its history back; ``None`` where the vendor has no API for that. Raises ``ConfigError`` where a setting that
    reading needs is missing."""
    readable: Callable[[Item | Supplement, S], Item | Supplement | None] = _as_it_is
    """What ``read`` gives of an item that ``parse`` read from what was written with these settings: less, where the vendor keeps what its API
    does not give back; ``None`` where nothing of it comes. The same object where nothing is missing."""
    for_history: Callable[[S], S] = _as_they_are
    """The settings with which history is sent, which is there at once and whole: such as larger requests, where the user's
    own settings do not say otherwise."""
    no_history: str = ""
    """Why there is no ``read``, and what to do instead, in a sentence or two."""
    check: Callable[[S], Request] | None = None
    """A harmless request that shows whether key and address are right, for ``llmtee vendors check``."""
