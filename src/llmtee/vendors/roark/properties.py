"""``properties``: what a chat has no field for, as flat values that Roark shows and filters by.

The application's own properties stand under their own names, as they are. Beside them stand our words:

| word | canonical field |
|---|---|
| ``sessionId``, ``segment``, ``title``, ``visibility``, ``source`` | the conversation's fields of that name |
| ``tags``, ``flags`` | joined with commas; as a JSON list where one holds a comma |
| ``metrics.NAME``, ``feedback.NAME``, ``sourceIds.SYSTEM`` | an entry each |
| ``person.NAME`` | a property of the first person |
| ``agentName``, ``agentVersion`` | in the order of the agents, joined like tags |
| ``toolCallIds`` | in the order of the tool invocations, joined like tags |
| ``traceId``, ``conversationId``, ``externalId`` | where the field of the chat cannot hold the id, or is switched off |
| ``model``, ``provider`` | of all model calls, joined like tags |
| ``modelCalls``, ``inputTokens``, ``outputTokens``, ``totalTokens``, ``cacheReadTokens``, ``reasoningTokens`` | sums |
| ``cost``, ``currency`` | the sum, where all are in one currency |
| ``errors``, ``error``, ``toolErrors`` | how many calls failed, what the last of them said, how many tools failed |
| ``message.NAME`` | a property of messages: the last value there is |

Roark takes ``planTier`` and ``plan_tier`` for one name, so a word that the application uses itself is written with
``llmtee.`` before it. ``llmteeWords`` lists our words, so that reading knows which they are. ``llmtee`` is the carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from llmtee import jsontext
from llmtee.model import Conversation, Generation, Message

MARK: Final = "llmteeWords"
_APART: Final = "llmtee."
_MARKS: Final = re.compile(r"(llmtee\.)*llmteeWords")

SESSION: Final = "sessionId"
PERSON: Final = "person."
TOTALS: Final = (
    "model",
    "provider",
    "modelCalls",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "cacheReadTokens",
    "reasoningTokens",
    "cost",
    "currency",
    "errors",
    "error",
    "toolErrors",
)
MESSAGE: Final = "message."
_SUMS: Final = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "totalTokens": "total_tokens",
    "cacheReadTokens": "cache_read",
    "reasoningTokens": "reasoning",
}
_MAX_ERROR: Final = 300
"""Characters: a property is for filtering."""


class Told(NamedTuple):
    """``properties``, told apart."""

    own: dict[str, Any]
    """The application's."""
    words: dict[str, Any]
    """Ours, without prefix."""


def mix(own: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """The application's properties and our words in one object."""
    # The session is often in both. One is enough: `Told.words` has it either way.
    words = {
        word: value
        for word, value in words.items()
        if not (word == SESSION and own.get(word) == value)
    }
    if not words:
        return dict(own)
    taken = {_normal(key) for key in own}
    written = {_free(word, taken): value for word, value in words.items()}
    return {**own, **written, _free(MARK, taken): join(sorted(written))}


def tell_apart(properties: Mapping[str, Any]) -> Told:
    """The way back of `mix`. A ``sessionId`` of the application's own is taken for the session as well."""
    ours: list[str] = []
    own = dict(properties)
    for mark in sorted(filter(_MARKS.fullmatch, properties), key=len, reverse=True):
        listed = split(properties[mark])
        if listed and all(key in properties for key in listed):
            ours = listed
            del own[mark]
            break
    words = {_bare(key): own.pop(key) for key in ours if key in own}
    if SESSION not in words and isinstance(own.get(SESSION), str):
        words[SESSION] = own[SESSION]
    return Told(own, words)


def _normal(key: str) -> str:
    return "".join(char for char in key.casefold() if char.isalnum())


def _free(word: str, taken: set[str]) -> str:
    while _normal(word) in taken:
        word = _APART + word
    return word


def _bare(key: str) -> str:
    while key.startswith(_APART):
        key = key.removeprefix(_APART)
    return key


# ── lists as text ───────────────────────────────────────────────────────────────────────────────────────────────


def join(values: Sequence[str]) -> str:
    """Values as one text: with commas, or as a JSON list where commas would be ambiguous."""
    plain = all(value and value == value.strip() and "," not in value for value in values)
    if plain and not values[0].startswith("["):
        return ",".join(values)
    return jsontext.dumps(list(values)).decode()


def split(text: Any) -> list[str]:
    """The way back of `join`; empty for what it never writes."""
    if not isinstance(text, str):
        return []
    if not text.startswith("["):
        return text.split(",")
    try:
        values = jsontext.loads(text)
    except ValueError:
        return [text]
    return [value for value in values if isinstance(value, str)]


# ── the words of a conversation ─────────────────────────────────────────────────────────────────────────────────


def conversation_words(conversation: Conversation) -> dict[str, Any]:
    """What a conversation says of itself and a chat has no field for."""
    words: dict[str, Any] = {
        SESSION: conversation.session,
        "segment": conversation.segment or None,
        "title": conversation.title,
        "visibility": conversation.visibility,
        "source": conversation.source,
        "tags": join(conversation.tags) if conversation.tags else None,
        "flags": join(conversation.flags) if conversation.flags else None,
    }
    words = {word: value for word, value in words.items() if value is not None}
    for prefix, entries in (
        ("metrics.", conversation.metrics),
        ("feedback.", conversation.feedback),
        ("sourceIds.", conversation.source_ids),
    ):
        words |= {prefix + name: value for name, value in entries.items()}
    return words


def read_conversation(words: Mapping[str, Any]) -> dict[str, Any]:
    """The way back of `conversation_words`, as fields of a `Conversation`."""
    fields: dict[str, Any] = {
        field: words[word]
        for word, field in {
            SESSION: "session",
            "title": "title",
            "visibility": "visibility",
            "source": "source",
            "traceId": "trace_id",
        }.items()
        if isinstance(words.get(word), str)
    }
    if isinstance(segment := words.get("segment"), int):
        fields["segment"] = segment
    for name in ("tags", "flags"):
        if name in words:
            fields[name] = tuple(split(words[name]))
    fields["metrics"] = family(words, "metrics.")
    fields["feedback"] = family(words, "feedback.")
    ids = family(words, "sourceIds.")
    fields["source_ids"] = {name: value for name, value in ids.items() if isinstance(value, str)}
    return fields


def family(words: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries of a family of words, such as ``metrics.``."""
    return {
        word.removeprefix(prefix): value for word, value in words.items() if word.startswith(prefix)
    }


def read_totals(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words that sum up what a chat does not keep message by message."""
    return {
        word: value for word, value in words.items() if word in TOTALS or word.startswith(MESSAGE)
    }


def totals(messages: Sequence[Message], failed_tools: int) -> dict[str, Any]:
    """What the messages of a conversation and the model calls behind them add up to."""
    found: dict[str, Any] = {
        MESSAGE + name: value for message in messages for name, value in message.properties.items()
    }
    if failed_tools:
        found["toolErrors"] = failed_tools
    generations = [message.generation for message in messages if message.generation is not None]
    if not generations:
        return found
    found["modelCalls"] = len(generations)
    for word, names in (
        ("model", [made.model or made.response_model for made in generations]),
        ("provider", [made.provider for made in generations]),
    ):
        if distinct := list(dict.fromkeys(name for name in names if name)):
            found[word] = join(distinct)
    for word, field in _SUMS.items():
        counts = [getattr(made.usage, field) for made in generations if made.usage is not None]
        if any(count is not None for count in counts):
            found[word] = sum(filter(None, counts))
    errors = [made.error for made in generations if made.error is not None]
    if errors:
        found["errors"] = len(errors)
        found["error"] = (errors[-1].message or errors[-1].type or "unknown")[:_MAX_ERROR]
    return {**found, **_cost(generations)}


def _cost(generations: Iterable[Generation]) -> dict[str, Any]:
    costs = [made.cost for made in generations if made.cost is not None]
    if len({cost.currency for cost in costs}) != 1:
        return {}
    amount = sum((cost.amount for cost in costs), Decimal(0))
    return {"cost": float(amount), "currency": costs[0].currency}
