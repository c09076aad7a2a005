"""The ``usage`` blocks of OpenAI's two shapes, to canonical counts and back: one law, two sets of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmtee.errors import InputError
from llmtee.formats.conventions import Convention
from llmtee.jsonfields import as_count, as_object
from llmtee.model import Usage
from llmtee.model._base import made


@dataclass(frozen=True, slots=True)
class UsageBlock:
    """A block of totals that hold their parts, and of details in blocks inside it."""

    convention: Convention

    def decode(self, raw: Any, path: str) -> Usage | None:
        """The counts of a block, which is kept whole beside them; what it leaves out stays ``None``.

        Raises:
            InputError: a count is not a whole number; the error names its JSON path.
        """
        if raw is None:
            return None
        raw = as_object(raw, path)
        counts = _read(raw, self.convention.totals, path)
        for block, names in self.convention.details.items():
            if found := raw.get(block):
                where = f"{path}.{block}"
                counts |= _read(as_object(found, where), names, where)
        return made(Usage, **counts, raw=raw)

    def encode(self, usage: Usage) -> dict[str, Any]:
        """A block: the one that was read, where it was of this shape, else one made of the counts."""
        if usage.raw is not None and self._reads_as(usage.raw, usage):
            return usage.raw
        totals = self.convention.totals
        out: dict[str, Any] = _counts(usage, totals)
        if "total_tokens" not in out and len(out) == len(totals) - 1:
            out["total_tokens"] = sum(out.values())
        for block, names in self.convention.details.items():
            if details := _counts(usage, names):
                out[block] = details
        return out

    def _reads_as(self, raw: Any, usage: Usage) -> bool:
        try:
            return self.decode(raw, "usage") == usage
        except InputError:
            return False


def _read(raw: Mapping[str, Any], names: Mapping[str, str], path: str) -> dict[str, int | None]:
    return {
        name: n if type(n := raw[key]) is int else as_count(n, f"{path}.{key}")
        for key, name in names.items()
        if key in raw
    }


def _counts(usage: Usage, names: Mapping[str, str]) -> dict[str, Any]:
    found = {key: getattr(usage, name) for key, name in names.items()}
    return {key: value for key, value in found.items() if value is not None}
