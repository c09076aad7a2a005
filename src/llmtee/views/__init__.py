"""How values look in a notebook: pure functions of values, no script, everything escaped.

Below the model, which shows itself by it: a view knows the model's types to the type checker only.
"""

from __future__ import annotations

from llmtee.views._blocks import (
    dim,
    elapsed,
    fact_line,
    fold,
    head,
    json_block,
    moment,
    money,
    number,
    path,
    plural,
    span,
    table,
)
from llmtee.views._conversations import conversation
from llmtee.views._events import event
from llmtee.views._html import Content, Html, element, visible
from llmtee.views._images import raster
from llmtee.views._style import page
from llmtee.views._timeline import Timeline, timeline

__all__ = [
    "Content",
    "Html",
    "Timeline",
    "conversation",
    "dim",
    "elapsed",
    "element",
    "event",
    "fact_line",
    "fold",
    "head",
    "json_block",
    "moment",
    "money",
    "number",
    "page",
    "path",
    "plural",
    "raster",
    "span",
    "table",
    "timeline",
    "visible",
]
