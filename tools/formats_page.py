"""The generated parts of ``docs/formats.md``, ``docs/model.md`` and ``docs/arrow.md``, by the names of their markers."""

# ruff: noqa: INP001 - beside a script, not part of a package

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from llmtee import registry
from llmtee._data_files import data_dir
from llmtee.formats.conventions import CONVENTIONS, Convention
from llmtee.frames import CONVERSATION_COLUMNS, EVENT_COLUMNS, RENDERED_COLUMNS, Column
from llmtee.model import MediaPart, Message, ModelCall, Step, ToolRun, Usage
from llmtee.model.flags import FLAGS
from llmtee.spec import Format

_COUNTS = ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning")
_SIGNS = 3
"""Signs by which auto tells a format, and selectors of one reason, that a table shows."""
_WIDE = 100


def blocks() -> dict[str, Callable[[], Iterator[str]]]:
    """What writes the lines of each marked block."""
    return {
        "formats": _formats,
        "cannot": _cannot,
        "usage": _usage,
        "flags": _flags,
        "events": lambda: _fields(ModelCall, ToolRun, Step),
        "messages": lambda: _fields(Message, MediaPart),
        "counts": lambda: _fields(Usage),
        "event columns": lambda: _columns(EVENT_COLUMNS),
        "conversation columns": lambda: _columns(CONVERSATION_COLUMNS),
        "rendered columns": lambda: _columns(RENDERED_COLUMNS),
    }


def filled(text: str) -> str:
    """``text`` with each block between ``<!-- name -->`` and ``<!-- /name -->`` written anew."""
    known = blocks()

    def write(match: re.Match[str]) -> str:
        lines = "\n".join(known[match[1]]())
        return f"<!-- {match[1]} -->\n{lines}\n<!-- /{match[1]} -->"

    names = "|".join(known)
    return re.sub(rf"<!-- ({names}) -->\n.*?<!-- /\1 -->", write, text, flags=re.DOTALL)


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# ── formats ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _formats() -> Iterator[str]:
    yield row("format", "what it is", "written", "streams", "auto tells it by", "tokens")
    yield "|---|---|---|---|---|---|"
    for name in registry.format_names():
        form = registry.format(name)
        writes = form.encode is not None or name == "llmtee"
        yield row(
            f"`{name}`",
            form.title,
            "yes" if writes else "no",
            "yes" if form.stream else "no",
            _signs(name, form),
            _rule(CONVENTIONS[name]) if name in CONVENTIONS else "as they are",
        )
    for name in registry.vendor_names():
        vendor = registry.vendor(name)
        signs = _vendor_signs(name)
        title = f"{vendor.title}'s own payloads and answers"
        yield row(f"`{name}`", title, "yes", "no", signs, "as the vendor has them")


def _cannot() -> Iterator[str]:
    """What a provider's shape cannot say, by reason."""
    yield "| format | of a call | why it is lost or changed |"
    yield "|---|---|---|"
    for name in registry.format_names():
        reasons: dict[str, list[str]] = {}
        for selector, reason in registry.format(name).cannot.items():
            reasons.setdefault(reason, []).append(selector)
        for reason, selectors in reasons.items():
            more = f" and {len(selectors) - _SIGNS} more" if len(selectors) > _SIGNS else ""
            yield row(
                f"`{name}`",
                ", ".join(f"`{_short(one)}`" for one in selectors[:_SIGNS]) + more,
                reason,
            )


def _short(selector: str) -> str:
    """A selector, or the start of one that lists many names."""
    return selector if len(selector) <= _WIDE else selector[:_WIDE].rpartition("|")[0] + "|…}"


def _signs(name: str, form: Format) -> str:
    """The commonest reasons that the fixtures give."""
    folder = data_dir("fixtures") / "formats" / name
    reasons = Counter(
        reason
        for path in sorted(folder.glob("*.json"))
        if not path.name.endswith(".expected.json")
        and (reason := form.detect(json.loads(path.read_text("utf-8"))))
    )
    return _some(reasons)


def _vendor_signs(name: str) -> str:
    vendor = registry.vendor(name)
    folder = data_dir("fixtures") / "vendors" / name
    payloads = (json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json")))
    return _some(Counter(reason for one in payloads if (reason := vendor.detect(one))))


def _some(reasons: Counter[str]) -> str:
    ordered = sorted(reasons, key=lambda one: (-reasons[one], one))
    more = "; …" if len(ordered) > _SIGNS else ""
    return "; ".join(ordered[:_SIGNS]) + more


# ── usage ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _usage() -> Iterator[str]:
    yield row(
        "source", "input", "output", "cache read", "cache write", "reasoning", "so", "fact from"
    )
    yield "|---|---|---|---|---|---|---|---|"
    seen: dict[int, list[str]] = {}
    for name, convention in CONVENTIONS.items():
        seen.setdefault(id(convention), []).append(name)
    by_id = {id(one): one for one in CONVENTIONS.values()}
    for key, names in seen.items():
        convention = by_id[key]
        yield row(
            ", ".join(f"`{name}`" for name in names),
            *(_paths(convention, name) for name in _COUNTS),
            _rule(convention),
            convention.source,
        )


def _paths(convention: Convention, name: str) -> str:
    if name in convention.sides:
        starts = ", ".join(f"`{start}…`" for start in convention.sides[name])
        return f"the sum of {starts}"
    paths = convention.counts.get(name, ())
    more = f" and {len(paths) - 2} other names" if len(paths) > 2 else ""
    return ", ".join(f"`{path}`" for path in paths[:2]) + more or "not reported"


def _rule(convention: Convention) -> str:
    if convention.sides:
        return "disjoint buckets: a total is the sum of its side"
    if convention.decided:
        return convention.decided
    beside = [*convention.beside_input, *convention.beside_output]
    if not beside:
        return "totals hold their parts"
    named = " and ".join(name.replace("_", " ") for name in beside)
    return f"{named} stand beside the total, and are added to it"


# ── the model ───────────────────────────────────────────────────────────────────────────────────────────────────


def _flags() -> Iterator[str]:
    yield "| flag | what it says |"
    yield "|---|---|"
    for name, meaning in FLAGS.items():
        yield row(f"`{name}`", meaning)


def _fields(*models: Any) -> Iterator[str]:
    """The fields of models that say what they are, those of a common base once."""
    yield "| | field | what it holds |"
    yield "|---|---|---|"
    shared = (
        set.intersection(*(set(model.model_fields) for model in models)) if models[1:] else set()
    )
    for name in models[0].model_fields:
        if (
            name in shared
            and name not in ("kind", "type")
            and models[0].model_fields[name].description
        ):
            yield row("each", f"`{name}`", _described(models[0], name))
    for model in models:
        for name, field in model.model_fields.items():
            if name not in shared and field.description:
                yield row(f"`{model.__name__}`", f"`{name}`", _described(model, name))


def _described(model: Any, name: str) -> str:
    text = " ".join((model.model_fields[name].description or "").split())
    return text.replace("``", "`")


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _columns(columns: Iterable[Column]) -> Iterator[str]:
    yield row("column", "Arrow type", "what it holds")
    yield "|---|---|---|"
    yield from (row(f"`{one.name}`", f"`{one.type}`", one.doc) for one in columns)
