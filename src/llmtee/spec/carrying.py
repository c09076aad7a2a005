"""A vendor whose payloads carry what its fields cannot say: ``parse(render(x, carry=True)) == x``.

`carrying` wraps a vendor's own functions, so that every vendor that names a free-form field for it has the carry.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from llmtee.errors import InputError
from llmtee.fidelity import carry
from llmtee.model import Item
from llmtee.spec.settings import ExporterSettings
from llmtee.spec.vendor import CarrySlot, Vendor
from llmtee.spec.wire import Note, WireItem

S = TypeVar("S", bound=ExporterSettings)


def carrying(vendor: Vendor[S]) -> Vendor[S]:
    """The vendor with functions that write a carry where the settings ask for it, and read one wherever it is.

    ``render`` puts what reading back would miss under ``vendor.carry.path``, where it fits into the vendor's limit.
    ``parse`` takes carries off, reads the rest, and completes the items; an item whose carry cannot be used comes as
    it was read without, with a flag that says so. ``shrink`` cuts the carry first. Wrapping twice is wrapping once.
    """
    if isinstance(vendor.render, partial) and vendor.render.func is _render:
        return vendor
    return replace(
        vendor,
        render=partial(_render, vendor),
        parse=with_carry(vendor.parse, vendor.carry),
        shrink=partial(_shrink, vendor),
        free_form=vendor.free_form
        if vendor.carry is None
        else (*vendor.free_form, vendor.carry.path),
    )


def carry_of(wire: WireItem, vendor: Vendor[Any]) -> str | None:
    """The carry in a wire item, or what says that it was cut; ``None`` where there is none."""
    if vendor.carry is None:
        return None
    value = _value(wire.body, vendor.carry.path.split("."))
    return value if carry.read(value) is not None else None


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _render(vendor: Vendor[S], item: Item, settings: S) -> WireItem:
    wire = vendor.render(item, settings)
    if not settings.carry or wire.body is None:
        return wire
    if vendor.carry is None:
        return _without(wire, f"{vendor.title} has no free-form field that could hold it")
    # Without what the application itself has there: that is carried, too.
    bare = _taken_off(wire.body, vendor.carry)
    try:
        base = _counterpart(item, vendor.parse(bare))
    except InputError as error:
        return _without(wire, f"what was rendered cannot be read back: {error}")
    if base is None:
        return _without(wire, "what was rendered reads back as nothing")
    text = carry.write(base, item, bare)
    if text is None:
        return wire
    carried = replace(wire, body=_put(bare, vendor.carry, text))
    limit = settings.max_bytes or vendor.limits.bytes
    return carried if carried.size <= limit else _with_carry_cut(carried, vendor, limit)


def _without(wire: WireItem, reason: str) -> WireItem:
    return replace(wire, notes=(*wire.notes, Note("carry", "dropped", reason)))


def _counterpart(item: Item, found: Sequence[Item]) -> Item | None:
    """What became of the item: the one with its id, else the first of its kind, else the first."""
    alike = [one for one in found if one.kind == item.kind] or found
    return next((one for one in alike if one.id == item.id), next(iter(alike), None))


def _shrink(vendor: Vendor[S], wire: WireItem, limit: int, settings: S) -> WireItem | None:
    if vendor.carry is None or not settings.carry or wire.body is None or wire.size <= limit:
        return vendor.shrink(wire, limit, settings)
    marked = _with_carry_cut(wire, vendor, limit)
    if marked.size <= limit:
        return marked
    smaller = vendor.shrink(marked, limit, settings)
    if smaller is None:  # at least not for a mark that does not fit either
        unmarked = replace(marked, body=_taken_off(marked.body, vendor.carry))
        return unmarked if unmarked.size <= limit else None
    if carry_of(smaller, vendor) is not None:
        return smaller
    again = replace(smaller, body=_put(smaller.body, vendor.carry, carry_of(marked, vendor)))
    return again if again.size <= limit else smaller


def _with_carry_cut(wire: WireItem, vendor: Vendor[Any], limit: int) -> WireItem:
    """The item with a mark in place of its carry, which is of no use once anything else is cut."""
    if vendor.carry is None or _is_cut(carry_of(wire, vendor)):
        return wire
    size = len((carry_of(wire, vendor) or "").encode())
    why = f"the item and its {size:,} bytes exceed {limit:,} bytes"
    reason = f"carry cut: {why}; what {vendor.title} has no field for does not come back"
    body = _put(wire.body, vendor.carry, carry.cut(why))
    return replace(wire, body=body, notes=(*wire.notes, Note("carry", "trimmed", reason)))


def _is_cut(text: str | None) -> bool:
    found = carry.read(text)
    return found is not None and found.key is None


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def with_carry(
    parse: Callable[[Any], list[Item]], slot: CarrySlot | None
) -> Callable[[Any], list[Item]]:
    """A vendor's own ``parse``, for its reader: takes carries off, reads the rest, and completes the items."""
    return partial(_parse, parse, slot)


def _parse(parse: Callable[[Any], list[Item]], slot: CarrySlot | None, payload: Any) -> list[Item]:
    if slot is None or not any(_carried(payload, slot)):
        return parse(payload)
    rest = copy.deepcopy(payload)
    carries = list(_carried(rest, slot))
    for wire, _ in carries:
        _remove(wire, slot.path.split("."))
    return _completed(parse(rest), carries)


def _carried(payload: Any, slot: CarrySlot) -> Iterator[tuple[Any, carry.Carry]]:
    """The wire items that have a carry, each with it."""
    for place in slot.items:
        for wire in _at(payload, place):
            found = carry.read(_value(wire, slot.path.split(".")))
            if found is not None:
                yield wire, found


def _completed(items: Sequence[Item], carries: Iterable[tuple[Any, carry.Carry]]) -> list[Item]:
    """The items, each with its carry: by key, and what has none or another in the order of the rest."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place in reversed(range(len(items))):
        places[carry.key_of(items[place])].append(place)
    made, left = list(items), []
    open_places = set(range(len(items)))
    for wire, one in carries:
        if one.key is not None and places[one.key]:
            place = places[one.key].pop()
            made[place] = _restored(items[place], one, wire)
            open_places.discard(place)
        else:
            left.append((wire, one))
    # Ids change where a vendor gives its own. What is still open is told by position, or not at all.
    for place, (wire, one) in zip(sorted(open_places), left, strict=False):
        made[place] = _restored(items[place], one, wire)
    return made


def _restored(item: Item, found: carry.Carry, wire: Any) -> Item:
    try:
        return carry.restore(item, found, wire)
    except carry.CarryError as error:
        return item.model_copy(update={"flags": (*item.flags, f"carry: {error}")})


# ── places in a payload ─────────────────────────────────────────────────────────────────────────────────────────


def _at(payload: Any, place: str) -> Iterator[Any]:
    """The values at a place such as ``events[]`` or ``chat.data``; the payload itself at the empty one."""
    found = [payload]
    for step in place.split(".") if place else ():
        key = step.removesuffix("[]")
        if key:
            found = [value[key] for value in found if isinstance(value, dict) and key in value]
        if step.endswith("[]"):
            found = [one for value in found if isinstance(value, list) for one in value]
    return iter(found)


def _value(holder: Any, path: Sequence[str]) -> Any:
    for key in path:
        if isinstance(holder, list):  # of keys and typed values
            found = next((one for one in holder if _has_key(one, key)), None)
            return None if found is None else _value(found, ("value", "stringValue"))
        if not isinstance(holder, dict):
            return None
        holder = holder.get(key)
    return holder


def _has_key(one: Any, key: str) -> bool:
    return isinstance(one, dict) and one.get("key") == key


def _put(body: Any, slot: CarrySlot, text: Any) -> Any:
    """A copy of ``body`` with the text in the slot; only what is on the way there is copied."""
    made = dict(body)
    holder = made
    *way, last = slot.path.split(".")
    for key in way:
        inner = holder.get(key)
        if isinstance(inner, list):
            others = [one for one in inner if not _has_key(one, last)]
            holder[key] = [*others, {"key": last, "value": {"stringValue": text}}]
            return made
        holder[key] = dict(inner) if isinstance(inner, dict) else {}
        holder = holder[key]
    holder[last] = text
    return made


def _taken_off(body: Any, slot: CarrySlot) -> Any:
    made = _put(body, slot, "")
    _remove(made, slot.path.split("."))
    return made


def _remove(body: Any, path: Sequence[str]) -> None:
    """Empties the slot in place. An object between the vendor's field and the slot goes, too, when nothing is left."""
    holders = [body]
    for key in path[:-1]:
        holders.append(holders[-1][key])
    if isinstance(holders[-1], list):
        holders[-1][:] = [one for one in holders[-1] if not _has_key(one, path[-1])]
        return
    del holders[-1][path[-1]]
    for depth in range(len(holders) - 1, 1, -1):
        if not holders[depth]:
            del holders[depth - 1][path[depth - 1]]
