"""Token counts and cost as Chat Completions reports them, to canonical ones and back.

Names of counts are in `conventions`; ``cost`` is OpenRouter's, in US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.formats._openai_usage import UsageBlock
from llmtee.formats.conventions import OPENAI_CHAT
from llmtee.jsonfields import as_amount
from llmtee.model import Cost
from llmtee.model._base import made

_BLOCK = UsageBlock(OPENAI_CHAT)
decode_usage, encode_usage = _BLOCK.decode, _BLOCK.encode


def decode_cost(raw: Any, path: str) -> Cost | None:
    """What the provider says that the call cost, from its ``usage`` block.

    Raises:
        InputError: the amount is not a number; the error names its JSON path.
    """
    amount = raw.get("cost") if isinstance(raw, Mapping) else None
    return None if amount is None else made(Cost, amount=as_amount(amount, path), source="provider")
