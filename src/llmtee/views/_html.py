"""Markup that cannot be broken out of: text becomes `Html` by `element` alone, and that escapes all it is given.

Transcripts are written by strangers. So there is no string of markup to put a text into: elements and attributes come
from short lists, none of which a browser executes or follows, every text is escaped, and what a reader would not see
(control characters, marks that turn the direction of text, tags that hide a message in a message) is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias


class Html(str):
    """Markup already. Made here and from constants, never from a text that came from outside."""

    __slots__ = ()


Content: TypeAlias = "str | Html | Iterable[str | Html]"

TAGS: Final = frozenset(
    {
        *("div", "span", "p", "h4", "b", "code", "pre", "details", "summary", "wbr", "img"),
        *("table", "thead", "tbody", "tr", "th", "td", "progress"),
        *("svg", "g", "rect", "circle", "line", "text", "title"),
    }
)
"""No link, form, frame, object or script, and no style: the one style sheet is a constant."""

ATTRIBUTES: Final = frozenset(
    {
        *("class", "dir", "open", "title", "src", "alt", "role", "aria-label", "value"),
        *("max", "viewBox", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r"),
        *("rx", "text-anchor"),
    }
)
"""No ``href``, no ``style``, no handler; ``src`` takes nothing but the data of a raster image."""

_EMPTY: Final = frozenset({"wbr", "img"})
_RASTER: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")

HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000ffffe\U000fffff\U0010fffe\U0010ffff]+"
)
"""What would be obeyed, or not be seen. Not the joiners of words and emoji, tabs and ends of lines."""


def element(name: str, *content: Content, **attributes: str | float | bool | None) -> Html:
    """One element.

    Args:
        name: of the element.
        content: texts, which are escaped, and `Html`, which is taken as it is; or iterables of both.
        attributes: with ``_`` for ``-``, and ``class_`` for ``class``. ``None`` and ``False`` leave one out.

    Raises:
        ValueError: a name is not in the lists, or ``src`` is not the data of a raster image.
    """
    if name not in TAGS:
        raise ValueError(f"no view has an element {name!r}")
    said = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{''.join(map(_inner, content))}</{name}>")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if name not in ATTRIBUTES:
        raise ValueError(f"no view has an attribute {name!r}")
    if value is True:
        return f" {name}"
    text = visible(value) if isinstance(value, str) else f"{value:g}"
    if name == "src" and not _RASTER.fullmatch(text):
        raise ValueError("src is not the data of a raster image")
    return f' {name}="{escape(text)}"'


def _inner(content: Content) -> str:
    if isinstance(content, Html):
        return content
    return _marked(content) if isinstance(content, str) else "".join(map(_inner, content))


def _marked(text: str) -> str:
    if not HIDDEN.search(text):
        return escape(text)
    text = text.replace("\r\n", "\n")
    said, start = [], 0
    for found in HIDDEN.finditer(text):
        said.append(escape(text[start : found.start()]))
        said.append(f'<span class="lt-hidden">{_named(found[0])}</span>')
        start = found.end()
    return "".join([*said, escape(text[start:])])


def _named(characters: str) -> str:
    r"""Their numbers, as people write them: ``\x1b`` for what is older than Unicode, else ``U+202E``."""
    codes = map(ord, characters)
    return " ".join(f"\\x{code:02x}" if code < 0x100 else f"U+{code:04X}" for code in codes)


def visible(text: str) -> str:
    """``text`` with what would be obeyed or not be seen by its name, for where no element can stand."""
    return HIDDEN.sub(lambda found: _named(found[0]), text.replace("\r\n", "\n"))
