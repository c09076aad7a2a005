"""Messages and their parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from llmtee import jsontext
from llmtee.views._blocks import (
    dim,
    elapsed,
    fact_line,
    fold,
    fold_json,
    json_block,
    listed,
    moment,
    money,
    number,
    pairs,
    plural,
    prose,
    span,
)
from llmtee.views._html import Html, element
from llmtee.views._images import image

if TYPE_CHECKING:
    from llmtee.model import (
        Agent,
        AnyPart,
        CitationPart,
        Cost,
        ErrorInfo,
        MediaPart,
        Message,
        Person,
        ReasoningPart,
        ToolCallPart,
        ToolResultPart,
        Usage,
    )

_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool"})
_SHORT: Final = 400
"""Characters of an instruction or a tool's answer that is not folded away."""


def call_names(found: Iterable[Message]) -> dict[str, str]:
    """Names of tools by the id of their call."""
    calls = (call for one in found for call in one.tool_calls)
    return {call.id: call.name for call in calls if call.id is not None}


def messages(found: Sequence[Message]) -> Html:
    """Messages one below another. A tool's answer is named after its call, a day where it begins."""
    names = call_names(found)
    days = [None if one.started_at is None else one.started_at.date() for one in found]
    told = [*zip(found, [None, *days], days, strict=False)]
    return listed(
        told, lambda it: message(it[0], names, same_day=it[1] == it[2] is not None), "messages"
    )


def message(
    one: Message, names: Mapping[str, str] = MappingProxyType({}), *, same_day: bool = False
) -> Html:
    """One message: who, what, and how it was made.

    Args:
        one: the message.
        names: of tools, by the id of their call.
        same_day: whether the one before was said on the same day.
    """
    look = one.role if one.role in _ROLES else "other"
    made = one.generation
    time = one.started_at.strftime("%H:%M:%S") if one.started_at and same_day else None
    details = [
        one.name,
        None if one.agent is None else agent(one.agent),
        None if one.person is None else person(one.person),
        None if made is None else made.response_model or made.model,
        time or moment(one.started_at),
        None if made is None else span(elapsed(made.started_at, made.ended_at)),
        None if made is None or made.usage is None else tokens(made.usage),
        None if made is None or made.cost is None else cost(made.cost),
    ]
    said = [element("span", one.role, class_="lt-role"), dim(" · ".join(filter(None, details)))]
    body = [part(one, names) for one in one.parts] or [dim("no content")]
    if made is not None and made.error is not None:
        body.append(error(made.error))
    if look in ("system", "developer") and sum(map(len, body)) > _SHORT:
        body = [fold("instructions", *body, note=plural(len(one.text), "character"))]
    return element("div", _who(one, said), *body, class_=f"lt-message lt-{look}")


def _who(one: Message, said: list[Html]) -> Html:
    """The first line; what has no place of its own folds out below it."""
    shown = {"role", "parts", "name"}
    rest = {key: value for key, value in one.to_json().items() if key not in shown}
    if not rest:
        return element("div", *said)
    return element("details", element("summary", *said), json_block(rest), class_="lt-who")


def part(one: AnyPart, names: Mapping[str, str] = MappingProxyType({})) -> Html:
    """One part of a message."""
    match one.type:
        case "text":
            return Html(prose(one.text) + _extra(one))
        case "refusal":
            told = element("span", "declined to answer", class_="lt-bad")
            return Html(told + prose(one.text) + _extra(one))
        case "reasoning":
            return _reasoning(one)
        case "media":
            return _media(one)
        case "tool_call":
            return _tool_call(one)
        case "tool_result":
            return _tool_result(one, one.name or names.get(one.call_id or "", ""))
        case "citation":
            return _citation(one)
        case "other":
            return Html(_named(one.name, one.data) + _extra(one))


def _extra(one: AnyPart) -> Html:
    return fold_json("more of this part", one.extra)


def _named(name: str, value: Any) -> Html:
    title = [element("code", name)]
    return fold(title, json_block(value)) if value is not None else element("p", *title)


def _reasoning(one: ReasoningPart) -> Html:
    texts = [*one.summary, *([one.text] if one.text else [])]
    told = {"signature": one.signature, "encrypted": one.encrypted, "id": one.id}
    opaque = {key: value for key, value in told.items() if value is not None}
    note = plural(sum(map(len, texts)), "character") if texts else "not disclosed"
    inner = [*map(prose, texts), fold_json("signature and encrypted data", opaque), _extra(one)]
    return fold("reasoning", *inner, note=note)


def _media(one: MediaPart) -> Html:
    facts = {
        "": one.filename,
        "type": one.mime,
        "at": one.url,
        "file": one.file_id,
        "size": None if one.size is None else f"{one.size:,} bytes",
        "detail": one.detail,
        "sha256": one.sha256,
    }
    if one.data is not None:
        facts["content"] = f"{len(one.data) * 3 // 4:,} bytes"
    shown = [fact_line([("", f"◻ {one.media}"), *facts.items()])]
    picture = image(one.data, one.filename or "an image") if one.media == "image" else None
    if picture is not None:
        shown.append(picture)
    elif one.data is not None:
        shown.append(fold("content in base64", prose(one.data)))
    if one.transcript:
        shown += [dim("transcript"), prose(one.transcript)]
    return Html("".join([*shown, _extra(one)]))


def _tool_call(one: ToolCallPart) -> Html:
    given = one.arguments_text if one.arguments is None else one.arguments
    short = "" if given is None else _one_line(given)
    title = [
        element("span", "calls ", class_="lt-warn"),
        element("code", one.name),
        dim(f"  {short}"),
    ]
    inner = [json_block(given)] if given is not None else [dim("no arguments")]
    received = one.arguments_text
    if received is not None and one.arguments is not None:
        inner.append(fold("arguments as received", prose(received)))
    facts = [("id", one.id), ("type", None if one.call_type == "function" else one.call_type)]
    return fold(title, *inner, fact_line(facts), _extra(one))


def _tool_result(one: ToolResultPart, name: str) -> Html:
    said = "failed" if one.is_error else "answered"
    look = "lt-bad" if one.is_error else "lt-warn"
    title: list[str | Html] = [element("span", f"{said} ", class_=look), element("code", name)]
    inner = [part(inside) for inside in one.parts]
    if one.result is not None:
        title.append(dim(f"  {_one_line(one.result)}"))
        shown = prose(one.result) if isinstance(one.result, str) else json_block(one.result)
        inner.insert(0, shown)
    return fold(title, *inner, fact_line([("call", one.call_id)]), _extra(one))


def _one_line(value: Any, most: int = 90) -> str:
    text = value if isinstance(value, str) else jsontext.dumps(value).decode("utf-8", "replace")
    text = " ".join(text[: most * 4].split())
    return text if len(text) <= most else f"{text[:most]}…"


def _citation(one: CitationPart) -> Html:
    facts = [
        ("", f"source {one.label or ''}"),
        ("", one.title),
        ("at", one.url),
        ("file", one.file_id),
        ("type", one.source_type),
        ("in", " › ".join(one.breadcrumbs) if one.breadcrumbs else None),
        (
            "for characters",
            None if one.start is None else f"{one.start:,} to {one.end or one.start:,}",
        ),
    ]
    texts = [prose(text) for text in (one.description, one.cited_text) if text]
    return Html(fact_line(facts) + "".join(texts) + _extra(one))


# ── who, how much, what went wrong ──────────────────────────────────────────────────────────────────────────────


def agent(one: Agent) -> str | None:
    """An agent in a few words."""
    return " ".join(filter(None, (one.name, one.version))) or pairs(one.ids)


def person(one: Person) -> str | None:
    """A person in a few words."""
    return one.id or pairs(one.ids)


def tokens(usage: Usage) -> str | None:
    """``1,204 → 85 tokens``, and how many of the input came from a cache."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None if usage.total_tokens is None else f"{usage.total_tokens:,} tokens"
    cached = f" ({usage.cache_read:,} cached)" if usage.cache_read else ""
    return (
        f"{number(usage.input_tokens) or '?'}{cached} → {number(usage.output_tokens) or '?'} tokens"
    )


def cost(one: Cost) -> str | None:
    """``0.0021 USD``."""
    return money(one.amount, one.currency)


def error(one: ErrorInfo) -> Html:
    """What went wrong."""
    status = None if one.status is None else str(one.status)
    named = " · ".join(filter(None, (one.type, one.code, status)))
    inner = [element("span", "failed ", class_="lt-bad"), dim(named), prose(one.message)]
    return element("div", *inner, fold_json("details", one.details))
