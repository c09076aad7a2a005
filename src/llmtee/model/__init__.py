"""The canonical model: what llmtee holds between any source and any vendor. Frozen values, no I/O."""

from __future__ import annotations

from typing import TypeAlias

from llmtee.model.conversation import Branch, Conversation, conversation_id
from llmtee.model.event import (
    Choice,
    Event,
    EventBase,
    ModelCall,
    Native,
    PromptTemplate,
    Step,
    ToolDefinition,
    ToolRun,
    load_event,
)
from llmtee.model.message import ROLES, Agent, ErrorInfo, Generation, Message, Person
from llmtee.model.parts import (
    AnyPart,
    CitationPart,
    ContentPart,
    MediaPart,
    OtherPart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from llmtee.model.supplement import (
    Annotation,
    Reason,
    Supplement,
    SupplementBase,
    VendorRequest,
    load_supplement,
)
from llmtee.model.usage import Cost, Usage

Item: TypeAlias = ModelCall | ToolRun | Step | Conversation
"""What a vendor's write may be made from."""

__all__ = [
    "ROLES",
    "Agent",
    "Annotation",
    "AnyPart",
    "Branch",
    "Choice",
    "CitationPart",
    "ContentPart",
    "Conversation",
    "Cost",
    "ErrorInfo",
    "Event",
    "EventBase",
    "Generation",
    "Item",
    "MediaPart",
    "Message",
    "ModelCall",
    "Native",
    "OtherPart",
    "Person",
    "PromptTemplate",
    "Reason",
    "ReasoningPart",
    "RefusalPart",
    "Step",
    "Supplement",
    "SupplementBase",
    "TextPart",
    "ToolCallPart",
    "ToolDefinition",
    "ToolResultPart",
    "ToolRun",
    "Usage",
    "VendorRequest",
    "conversation_id",
    "load_event",
    "load_supplement",
]
