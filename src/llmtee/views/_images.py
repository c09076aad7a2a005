"""Pictures that a message carries: shown only where their bytes are those of a raster image, and never fetched."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from llmtee.views._html import Html, element

LARGEST: Final = 1_000_000
"""Bytes of an image that is shown; a larger one is described."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image(data: str | None, description: str) -> Html | None:
    """An image from its bytes in base64; ``None`` where they are no PNG, JPEG, GIF or WebP, or too many.

    The bytes say what they are, not who sent them; and they are written anew, so that nothing but base64 is on the page.
    """
    if data is None or len(data) > LARGEST * 4 // 3 + 4:
        return None
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return None if (kind := _kind(content)) is None else raster(content, kind, description)


def raster(content: bytes, kind: str, description: str) -> Html:
    """An image from bytes that are known to be of this kind."""
    address = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return element("img", src=address, alt=description)


def _kind(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)
