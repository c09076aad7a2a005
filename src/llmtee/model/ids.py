"""Ids: random and ordered in time for live events, derived from the source for imported ones."""

from __future__ import annotations

import os
import random
import re
import time
import uuid
from collections.abc import Callable
from hashlib import sha1

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "llmtee")
"""Root of every derived id. Changing it would give each imported event a new identity: never do."""
_ROOT = NAMESPACE.bytes


def uuid7(now_ms: int, random_bytes: bytes) -> uuid.UUID:
    """A version 7 UUID (RFC 9562 §5.7) of a time in unix milliseconds and ten random bytes."""
    value = (now_ms & (2**48 - 1)) << 80 | int.from_bytes(random_bytes, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


_random = random.Random(os.urandom(32))  # noqa: S311 - ids have to differ, not to be secret
"""Our own: an application that seeds the shared one, and its copies on other machines, would make equal ids.

Not ``os.urandom`` for each id: it lets go of the interpreter lock, and getting that back can take milliseconds.
"""
_ends: list[str] = []
"""The random ends of ids to come, made many at a time: that is cheap, and a single one is not."""
_ENDS = 128


def _after_fork() -> None:
    _random.seed(os.urandom(32))
    _ends.clear()


os.register_at_fork(after_in_child=_after_fork)


def _live_id() -> str:
    try:
        end = _ends.pop()
    except IndexError:
        _ends.extend([_random_end() for _ in range(_ENDS)])
        end = _random_end()
    time_text = f"{time.time_ns() // 1_000_000:012x}"
    return f"{time_text[:8]}-{time_text[8:]}-{end}"


def _random_end() -> str:
    """All of a version 7 UUID but its time: version, 12 random bits, variant, 62 random bits."""
    bits = _random.getrandbits(74)
    tail = f"{1 << 63 | bits >> 12:016x}"
    return f"7{bits & 0xFFF:03x}-{tail[:4]}-{tail[4:]}"


_UUID = re.compile("[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

_new: Callable[[], str] = _live_id


def new_id() -> str:
    """The id of a live event: a UUIDv7, so that ids sort by time of creation."""
    return _new()


def set_id_source(source: Callable[[], str] | None) -> None:
    """Replaces what `new_id` calls; ``None`` puts the real one back. For ``llmtee.testing.fixed_ids``."""
    global _new
    _new = source or _live_id


def derive_id(*names: str) -> str:
    """A UUIDv5 of ``names``: the same names give the same id, on every machine and in every run."""
    # The unit separator keeps ("ab", "c") apart from ("a", "bc").
    digest = sha1(_ROOT + "\x1f".join(names).encode(), usedforsecurity=False).hexdigest()
    # As ``str(uuid.uuid5(NAMESPACE, …))`` writes it, at a third of the cost: version 5, variant 10 (RFC 9562 §5.5).
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def is_uuid(text: str) -> bool:
    """Whether ``text`` is a UUID in its usual form of 36 characters."""
    return _UUID.fullmatch(text) is not None


def as_uuid(text: str, *scope: str) -> str:
    """``text`` when it is a UUID already, else the UUIDv5 derived from ``scope`` and ``text``."""
    return text if is_uuid(text) else derive_id(*scope, text)
