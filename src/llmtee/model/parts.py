"""The parts of a message: a tagged union, in the order in which they were said.

Facts about how each provider writes them are in ``docs/formats.md``. What a part type has no field for goes into
``extra`` under the name of the format; a part type that nobody knows becomes `OtherPart`, whole.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from llmtee.model._base import Json, JsonObject, Tagged, Text, empty


class Part(Tagged):
    """Base of all parts."""

    tag_field: ClassVar[str] = "type"

    extra: JsonObject = empty()
    """Fields that have no canonical home: an object by the name of the format or vendor that they belong to."""


class TextPart(Part):
    """Plain text."""

    type: Literal["text"] = "text"
    text: Text


class ReasoningPart(Part):
    """What a model thought before it answered. Signatures and encrypted data are opaque: whole or not at all."""

    type: Literal["reasoning"] = "reasoning"
    text: Text | None = None
    summary: tuple[Text, ...] = ()
    signature: Text | None = None
    encrypted: Text | None = None
    """Encrypted or redacted reasoning, exactly as received."""
    id: Text | None = None


class MediaPart(Part):
    """An image, audio, video or document: by reference (``url``, ``file_id``), by hash, or with its bytes."""

    type: Literal["media"] = "media"
    media: Literal["image", "audio", "video", "document", "other"]
    mime: Text | None = None
    url: Text | None = None
    """Where it lies. A data URL is taken apart into ``mime`` and ``data``."""
    data: Text | None = None
    """The bytes in base64, exactly as received."""
    file_id: Text | None = None
    """The id under which the provider stores it."""
    sha256: Text | None = None
    """Hex digest of the bytes, where the bytes themselves were not kept."""
    size: int | None = None
    """Bytes."""
    filename: Text | None = None
    detail: Text | None = None
    """The resolution asked for: ``auto``, ``low`` or ``high`` at OpenAI."""
    transcript: Text | None = None
    """What is said in an audio."""


class ToolCallPart(Part):
    """A model asks for a tool."""

    type: Literal["tool_call"] = "tool_call"
    id: Text | None = None
    """The call's id, which its result repeats."""
    name: Text
    arguments: Json = None
    """The arguments, parsed; ``None`` where the text received is not JSON."""
    arguments_text: Text | None = None
    """The arguments as text, exactly as received; ``None`` where the source sends an object."""
    call_type: Text = "function"
    """``function``, ``custom``, or the name of a server-side tool type."""
    synthetic_id: bool = False
    """Whether llmtee made the id up because the source has none."""


class ToolResultPart(Part):
    """What a tool answered."""

    type: Literal["tool_result"] = "tool_result"
    call_id: Text | None = None
    name: Text | None = None
    result: Json = None
    """The answer when it is one value: text, mostly, or an object. ``None`` when it came as ``parts``."""
    parts: tuple[ContentPart, ...] = ()
    """The answer when it came as a list of content parts."""
    is_error: bool | None = None


class RefusalPart(Part):
    """The model declined to answer, in its own words."""

    type: Literal["refusal"] = "refusal"
    text: Text


class CitationPart(Part):
    """A source that the text before it rests on."""

    type: Literal["citation"] = "citation"
    url: Text | None = None
    title: Text | None = None
    label: Text | None = None
    """The mark in the text, such as ``[1]``."""
    description: Text | None = None
    source_type: Text | None = None
    """What kind of source: ``url``, ``file``, ``documentation``, ``page``, in the source's own word."""
    breadcrumbs: tuple[Text, ...] | None = None
    cited_text: Text | None = None
    file_id: Text | None = None
    start: int | None = None
    """First character of the text that it supports, counted in code points from 0."""
    end: int | None = None
    """One past the last character."""


class OtherPart(Part):
    """A part type that llmtee does not know, kept whole."""

    type: Literal["other"] = "other"
    name: Text
    """The source's own name for the part type."""
    data: Json = None
    """The part, verbatim."""


ContentPart: TypeAlias = Annotated[TextPart | MediaPart | OtherPart, Field(discriminator="type")]
"""What a tool result may hold."""

AnyPart: TypeAlias = Annotated[
    TextPart
    | ReasoningPart
    | MediaPart
    | ToolCallPart
    | ToolResultPart
    | RefusalPart
    | CitationPart
    | OtherPart,
    Field(discriminator="type"),
]

ToolResultPart.model_rebuild()
