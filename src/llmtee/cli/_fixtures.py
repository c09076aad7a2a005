"""The recorded conversations that ``llmtee demo`` plays; ``fixtures/README.md`` describes their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmtee import jsontext
from llmtee._data_files import data_dir
from llmtee.errors import UsageError


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded conversation."""

    name: str
    lines: tuple[dict[str, Any], ...]
    """Records of ``openai-chat``, and canonical events, told by their ``kind``."""

    @property
    def session(self) -> str:
        """The session that all lines belong to."""
        return str(self.lines[0]["session"])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The model calls."""
        return [line for line in self.lines if "kind" not in line]

    @property
    def tool_runs(self) -> list[dict[str, Any]]:
        """The tool runs."""
        return [line for line in self.lines if "kind" in line]


def recorded_conversations() -> list[Recorded]:
    """All of them, by name.

    Raises:
        UsageError: there are none, because the installation is incomplete.
    """
    folder = data_dir("fixtures") / "conversations"
    found = [
        Recorded(path.stem, tuple(map(jsontext.loads, path.read_bytes().splitlines())))
        for path in sorted(folder.glob("*.jsonl"))
    ]
    if not found:
        raise UsageError(f"no recorded conversations in {folder}: install llmtee again")
    return found
