"""Events and conversations as Arrow tables, pandas and polars frames, and the pure steps as functions of batches.

Needs the extra ``frames``. The schemas are ``EVENT_SCHEMA``, ``CONVERSATION_SCHEMA`` and ``ITEM_SCHEMA``, which has the
columns of both; of what the steps on batches give, ``DECODED_SCHEMA``, ``RENDERED_SCHEMA`` and ``ASSEMBLED_SCHEMA``.
They are made when they are first asked for.
"""

from __future__ import annotations

from typing import Any

from llmtee.frames._batches import assemble_batch, batch_schema, decode_batch, render_batch
from llmtee.frames._columns import (
    COLUMNS,
    CONVERSATION_COLUMNS,
    EVENT_COLUMNS,
    KEY,
    RENDERED_COLUMNS,
    VERSION,
    ArrowType,
    Column,
    SchemaName,
)
from llmtee.frames._read import FROM_COLUMNS, from_frame, item_of, items_of, load
from llmtee.frames._schema import schema, schema_name
from llmtee.frames._write import item_text, to_frame, write_batches

__all__ = [
    "ASSEMBLED_SCHEMA",
    "COLUMNS",
    "CONVERSATION_COLUMNS",
    "CONVERSATION_SCHEMA",
    "DECODED_SCHEMA",
    "EVENT_COLUMNS",
    "EVENT_SCHEMA",
    "FROM_COLUMNS",
    "ITEM_SCHEMA",
    "KEY",
    "RENDERED_COLUMNS",
    "RENDERED_SCHEMA",
    "VERSION",
    "ArrowType",
    "Column",
    "SchemaName",
    "assemble_batch",
    "batch_schema",
    "decode_batch",
    "from_frame",
    "item_of",
    "item_text",
    "items_of",
    "load",
    "render_batch",
    "schema",
    "schema_name",
    "to_frame",
    "write_batches",
]


def __getattr__(name: str) -> Any:
    match name:
        case "EVENT_SCHEMA":
            return schema("event")
        case "CONVERSATION_SCHEMA":
            return schema("conversation")
        case "ITEM_SCHEMA":
            return schema("item")
        case "DECODED_SCHEMA":
            return batch_schema("decoded")
        case "RENDERED_SCHEMA":
            return batch_schema("rendered")
        case "ASSEMBLED_SCHEMA":
            return batch_schema("assembled")
    raise AttributeError(f"module 'llmtee.frames' has no attribute {name!r}")
