"""Tools' answers that ride in another's message, as Anthropic and Bedrock send them, in messages of their own."""

from __future__ import annotations

from itertools import groupby

from llmtee.model import Message, ToolResultPart

_CARRIERS = ("user", "system", "developer")


def answers_apart(message: Message, owner: str) -> list[Message]:
    """The message in messages of one kind each, in order.

    Those with answers have the role ``tool``, and remember the role that they came in as ``role`` in their extra.
    """
    if message.role not in _CARRIERS or not any(map(_is_answer, message.parts)):
        return [message]
    told = {**message.extra, owner: {"role": message.role, **message.extra.get(owner, {})}}
    return [
        message.model_copy(
            update={"parts": tuple(parts), **({"role": "tool", "extra": told} if answers else {})}
        )
        for answers, parts in groupby(message.parts, key=_is_answer)
    ]


def _is_answer(part: object) -> bool:
    return isinstance(part, ToolResultPart)
