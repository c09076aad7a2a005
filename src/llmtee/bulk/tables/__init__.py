"""Tables as sources: CSV, Parquet and Arrow IPC, and which of their columns fill which fields."""

from __future__ import annotations

from llmtee.bulk.tables._kind import table_kind
from llmtee.bulk.tables._open import TABLE, choice_by, rows_of
from llmtee.bulk.tables._vocabulary import FIELDS, OPEN
from llmtee.bulk.tables.mapping import Column, TableMapping, mapping_of, mapping_of_words

__all__ = [
    "FIELDS",
    "OPEN",
    "TABLE",
    "Column",
    "TableMapping",
    "choice_by",
    "mapping_of",
    "mapping_of_words",
    "rows_of",
    "table_kind",
]
