"""The carry: what a vendor's fields cannot say of an item, as one text for its free-form field.

``llmtee/1 KEY DIGEST PATCH``: the patch (see `_patch`) turns what reading the rest of the payload gives into the item;
the key says which item of a payload that is; the digest, of everything that the patch replaces, shows whether it was
changed since. A text, not an object: it passes stores that round large numbers, drop nulls or count keys.
``llmtee/1 cut: …`` stands in its place where it does not fit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from llmtee import jsontext
from llmtee.fidelity._patch import PatchError, apply_checked, diff, exactly
from llmtee.model import Conversation, Item, ModelCall, Step, ToolRun

VERSION: Final = 1

_CARRY: Final = re.compile(r"llmtee/(\d+) (?:cut: (.*)|([0-9a-f]{8}) (.*))", re.DOTALL)
_KINDS: Final[Mapping[Any, type[Item]]] = {
    "model_call": ModelCall,
    "tool_run": ToolRun,
    "step": Step,
    "conversation": Conversation,
}


class CarryError(ValueError):
    """A carry cannot be used; the message says why, as part of a sentence."""


class Carry(NamedTuple):
    """A carry as it was read."""

    version: int
    key: str | None
    """Which item it is for; ``None`` where the carry was cut."""
    rest: str
    """Digest and patch, or why it was cut."""


def write(base: Item, item: Item, payload: Any) -> str | None:
    """The carry that makes ``item`` of ``base``; ``None`` where they are the same.

    Args:
        base: what reading the payload without its carry gives.
        item: what was rendered.
        payload: that payload, without its carry. What it shows is not written a second time.
    """
    seen, wanted = base.to_json(), item.to_json()
    shelf = (seen, payload)
    patch = diff(seen, wanted, shelf=shelf)
    made, digest = apply_checked(patch, seen, shelf)
    if exactly(_load(made).to_json()) != exactly(wanted):
        # Fields of the model have an order of their own, keys inside free-form fields have that of the item.
        patch = diff(seen, wanted, shelf=shelf, key_order=True)
        made, digest = apply_checked(patch, seen, shelf)
    if patch is None:
        return None
    return f"llmtee/{VERSION} {key_of(base)} {digest} {exactly(patch)}"


def cut(why: str) -> str:
    """What stands in place of a carry that does not fit."""
    return f"llmtee/{VERSION} cut: {why}"


def read(value: Any) -> Carry | None:
    """The carry that a value is; ``None`` where it is something else."""
    match = _CARRY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    version, why, key, rest = match.groups()
    return Carry(int(version), key, why if key is None else rest)


def restore(base: Item, carry: Carry, payload: Any) -> Item:
    """The item that was rendered.

    Args:
        base: what reading the payload without its carry gives.
        carry: what stood in the payload.
        payload: the payload without it.

    Raises:
        CarryError: the carry was cut or damaged, or is not of this version, or the payload was changed where the
            carry replaces something.
    """
    if carry.version != VERSION:
        raise CarryError(f"is of version {carry.version}, and this llmtee reads version {VERSION}")
    if carry.key is None:
        raise CarryError(f"was cut: {carry.rest}")
    digest, _, text = carry.rest.partition(" ")
    try:
        seen = base.to_json()
        made, found = apply_checked(jsontext.loads(text), seen, (seen, payload))
    except PatchError as error:
        raise CarryError(f"does not fit the payload: {error}") from error
    except ValueError as error:
        raise CarryError("is damaged") from error
    if found != digest:
        raise CarryError("does not fit the payload, which was changed since")
    try:
        return _load(made)
    except (ValueError, KeyError, TypeError) as error:
        raise CarryError("does not give an item") from error


def key_of(item: Item) -> str:
    """What a carry calls an item."""
    identity = f"{item.kind} {item.id}".encode("utf-8", "replace")
    return hashlib.blake2b(identity, digest_size=4).hexdigest()


def _load(made: dict[str, Any]) -> Item:
    return _KINDS[made["kind"]].model_validate(made)
