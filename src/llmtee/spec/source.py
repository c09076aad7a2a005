"""`Source`: what is only read, such as another product's traces. It is read by the same driver as a vendor's history."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from llmtee.model import Item
from llmtee.spec.reading import Reader
from llmtee.spec.settings import ExporterSettings
from llmtee.spec.vendor import Capabilities, Limits, RetryPolicy, State, Vendor
from llmtee.spec.verdict import Verdict
from llmtee.spec.wire import Exchange, Request, WireItem


class SourceSettings(ExporterSettings):
    """Base of the settings of what is only read, as a user writes it: ``Langfuse(public_key=…, secret_key=…)``.

    Of the settings of all exporters those count that say how to ask: address, timeout, rate, concurrency and
    ``max_items``, the traces of a page.
    """

    @classmethod
    @abstractmethod
    def source(cls) -> Vendor[Any]:
        """What reads with such settings, made by `only_read`."""


S = TypeVar("S", bound=SourceSettings)


def only_read(
    *,
    name: str,
    title: str,
    settings: type[S],
    auth: Callable[[S], Mapping[str, str]],
    read: Callable[[S], Reader],
    parse: Callable[[Any], list[Item]],
    docs: str,
    concurrency: int = 4,
) -> Vendor[S]:
    """A vendor to which nothing can be written: each item is skipped with that reason.

    Args:
        name: as in the settings.
        title: as people write it.
        settings: their class.
        auth: headers that authenticate; raises ``ConfigError`` where a key is missing.
        read: reads the history.
        parse: reads one record of it. Raises ``InputError``.
        docs: address of the page for its API.
        concurrency: requests at a time.
    """

    def capabilities(_: S) -> Capabilities:
        return Capabilities(
            past_times=True,
            idempotent_by=None,
            partial_answers=False,
            reads_back=True,
            notes=(f"llmtee reads {title}, and writes nothing to it.",),
        )

    def render(item: Item, _: S) -> WireItem:
        return WireItem(item.id, None, skip=f"llmtee only reads {title}")

    def pack(items: Sequence[WireItem], _: S, __: State) -> list[Request]:
        return []

    def judge(exchange: Exchange, _: S) -> list[Verdict]:
        return []

    return Vendor(
        name=name,
        title=title,
        settings=settings,
        grain="event",
        semantics="append",
        limits=Limits(concurrency=concurrency),
        capabilities=capabilities,
        retry=RetryPolicy(),
        docs=docs,
        auth=auth,
        render=render,
        pack=pack,
        judge=judge,
        parse=parse,
        read=read,
    )
