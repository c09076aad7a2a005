"""A message's parts, sorted to where Inkeep has them: content, links and tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llmtee import jsontext
from llmtee.formats.openai_chat import messages as chat_messages
from llmtee.model import (
    AnyPart,
    CitationPart,
    MediaPart,
    Message,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from llmtee.model.ids import derive_id
from llmtee.vendors.inkeep.notes import Notes
from llmtee.vendors.inkeep.wire import DETAILS


@dataclass
class WireParts:
    """A message's parts, sorted to where Inkeep has them."""

    message_id: str
    kind: str
    notes: Notes
    content: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    places: list[tuple[str, int] | None] = field(default_factory=list)

    @classmethod
    def of(cls, message: Message, kind: str, notes: Notes) -> WireParts:
        """The parts of a message in a conversation of type ``kind``; what had to be changed goes into ``notes``."""
        sorted_out = cls(message.id or "", kind, notes)
        for part in message.parts:
            sorted_out.places.append(sorted_out.add(part))
        return sorted_out

    def add(self, part: AnyPart) -> tuple[str, int] | None:
        """Where the part went; ``None`` where Inkeep has no place for it."""
        match part:
            case TextPart():
                return self._say(part.text)
            case RefusalPart():
                self.notes.add(
                    "messages[].parts[]", "changed", "Inkeep has no refusals; sent as text"
                )
                return self._say(part.text)
            case ToolResultPart():
                self.notes.add(
                    "messages[].parts[]", "changed", "Inkeep has no tool results; sent as text"
                )
                return self._say(chat_messages.result_text(part))
            case MediaPart():
                return self._show(part)
            case CitationPart():
                return self._cite(part)
            case ToolCallPart():
                return self._call(part)
            case OtherPart():
                if not part.name.startswith("annotation:"):
                    self._say(f"[{part.name}]")
                self._park(f"part of type {part.name!r:.60}")
                return None
            case ReasoningPart():
                self._park("place for reasoning")
                return None

    def _say(self, text: str) -> tuple[str, int]:
        self.content.append({"type": "text", "text": text})
        return "content", len(self.content) - 1

    def _show(self, part: MediaPart) -> tuple[str, int] | None:
        address = chat_messages.data_url(part) or part.url
        if part.media == "image" and address and self.kind == "openai":
            image = {"url": address}
            if part.detail in DETAILS:
                image["detail"] = part.detail
            self.content.append({"type": "image_url", "image_url": image})
            return "content", len(self.content) - 1
        self._say(describe(part))
        self._park(f"part for {part.media}" + ("" if address else " without an address"))
        return None

    def _cite(self, part: CitationPart) -> tuple[str, int] | None:
        if not part.url:
            self._park("link without a url")
            return None
        link = {
            "label": part.label,
            "url": part.url,
            "title": part.title,
            "description": part.description,
            "type": part.source_type,
            "breadcrumbs": None if part.breadcrumbs is None else list(part.breadcrumbs),
        }
        self.links.append({key: value for key, value in link.items() if value is not None})
        return "links", len(self.links) - 1

    def _call(self, part: ToolCallPart) -> tuple[str, int] | None:
        if self.kind != "openai":
            self._park(f"tool calls in conversations of type {self.kind!r}")
            return None
        text = chat_messages.arguments_text(part)
        if part.call_type == "custom":  # free text; Inkeep wants JSON
            text = jsontext.dumps(text).decode()
        call_id = part.id
        if call_id is None:
            call_id = derive_id("tool_call", self.message_id, str(len(self.calls)))
        function = {"name": part.name, "arguments": text}
        self.calls.append({"id": call_id, "type": "function", "function": function})
        return "calls", len(self.calls) - 1

    def _park(self, missing: str) -> None:
        self.notes.add(
            "messages[].parts[]", "changed", f"Inkeep has no {missing}; kept in properties"
        )

    def text_or_list(self, as_list: bool) -> str | list[dict[str, Any]]:
        """``content``: text where it is one, and never null."""
        if self.kind != "openai":
            return "\n".join(part["text"] for part in self.content)
        only_text = all(part["type"] == "text" for part in self.content)
        if len(self.content) < 2 and only_text and not as_list:
            return self.content[0]["text"] if self.content else ""
        return self.content

    def all_places(self, native: Sequence[AnyPart]) -> list[int | None]:
        """For each part, its place among the parts that reading gives."""
        spoken = len(native) - len(self.links) - len(self.calls)
        starts = {"content": 0, "links": spoken, "calls": spoken + len(self.links)}
        whole = spoken == len(self.content)  # else texts were joined, or one that is empty is gone
        return [
            None
            if place is None or (place[0] == "content" and not whole)
            else starts[place[0]] + place[1]
            for place in self.places
        ]


def describe(part: MediaPart) -> str:
    """A placeholder for media that Inkeep cannot hold: ``[audio: reply.wav, audio/wav, 12,345 bytes]``."""
    size = part.size if part.size is not None else part.data and len(part.data) * 3 // 4
    known = [part.filename, part.mime, f"{size:,} bytes" if size else None]
    known.append(part.url if part.data is None else None)
    return f"[{part.media}: {', '.join(filter(None, known))}]".replace(": ]", "]")
