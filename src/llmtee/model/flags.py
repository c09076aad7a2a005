"""The words in ``flags``: what a reader should know of the quality of an event or a conversation.

A flag is a name, a name with a count (``superseded_messages: 2``), or a name with a sentence (``usage: …``). Nothing is
repaired because of one: the values stand as they were read, unless the flag itself says what was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "usage": "token counts that cannot be true together, or that had to be read by a rule; the sentence says which",
        "history_incomplete": "the provider keeps earlier messages (`previous_response_id`, `conversation`): they are not here",
        "response_not_json": "the response is text, or another value, of which nothing could be read; `native` has it",
        "unknown field kept in extra": "a field or a part type that this version does not know; `extra` or an `other` part has it",
        "not read as": "Voker took a call that is not of the shape its `api` names; `native` has it whole",
        "incomplete": "a stream that was cut short: what came until then is here",
        "carry": "what a vendor's payload carried beside its fields could not be used; the sentence says why",
        "redacted": "what was taken out before it was stored or sent: a count for each detector",
        "redaction failed": "a redaction failed on a text, which was dropped rather than let through",
        "span_missing": "read from log records alone; the span that they belong to did not come",
        "span_repeated": "its span came several times and not the same; the fullest was read",
        "trace_split": "it came when the rest of its trace could no longer wait for it, so session and person may be missing",
        "time_ambiguous": "a time of a table that clocks showed twice, or never, when they were changed; the first is taken",
        "superseded_messages": "messages that an edited or regenerated turn replaced; the count says how many",
        "prompt_changes": "how often the system prompt changed in the session; the newest stands",
        "failed_calls": "calls that failed; their errors stand on the messages that they left unanswered",
        "side_calls": "calls that were no turn of the conversation, such as a title maker's; their messages are not in it",
        "unanswered": "made of the messages after the last answer of a conversation: nobody answered them",
        "columns_only": "made from the columns of a frame that has no JSON for it: what has no column is not here",
        "from_messages": "a tool run made of a call and its result in the messages, and not recorded as a run",
    }
)
"""Every flag that llmtee sets, by its name, and what it means. Applications and plug-ins may set others."""


def name_of(flag: str) -> str:
    """The name of a flag, without its count or sentence."""
    name, _, _ = flag.partition(":")
    return next((known for known in FLAGS if name == known or flag.startswith(f"{known} ")), name)
