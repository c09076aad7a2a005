"""Chats of Google's SDK: which message a request belongs to.

``client.chats`` makes a new object each time, and a chat sends its streamed messages when they are read, so that nothing on
the one client can tell whose session a message was sent in. The methods are therefore replaced on the classes, while
any client is wrapped; chats of other clients go straight through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from llmtee.capture.gemini import _origin

_METHODS = ("send_message", "send_message_stream")
_lock = threading.RLock()
_users = 0
_originals: list[tuple[type[Any], str, Any, Any]] = []


def watch(*chats: Any) -> None:
    """One more client is wrapped, whose ``chats`` these are."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            module = __import__(type(chats[0]).__module__, fromlist=["Chat", "AsyncChat"])
            for kind in (module.Chat, module.AsyncChat):
                for name in _METHODS:
                    _replace(kind, name)


def forget() -> None:
    """One less."""
    global _users
    with _lock:
        _users -= 1
        while _users == 0 and _originals:
            kind, name, original, replacement = _originals.pop()
            if vars(kind).get(name) is replacement:
                setattr(kind, name, original)


def _replace(kind: type[Any], name: str) -> None:
    original = vars(kind)[name]
    replacement = _method(original)
    _originals.append((kind, name, original, replacement))
    setattr(kind, name, replacement)


def _method(original: Callable[..., Any]) -> Callable[..., Any]:
    marked = _origin.marked(original)

    def is_wrapped(chat: Any) -> bool:
        return "generate_content" in vars(getattr(chat, "_modules", chat))

    return _origin.chosen(original, marked, is_wrapped)
