"""Supplements: what is recorded and delivered as an event is, and is none: no step, and part of no conversation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter

from llmtee.model._base import Frozen, JsonObject, Tagged, Text, Time
from llmtee.model.ids import new_id
from llmtee.model.message import Person


class SupplementBase(Tagged):
    """What all supplements share."""

    tag_field: ClassVar[str] = "kind"

    id: Text = Field(default_factory=new_id)
    """A UUIDv7."""
    flags: tuple[Text, ...] = ()
    """What a reader should know of it, such as ``redacted: 1 email``."""

    @property
    def order(self) -> str:
        """Supplements that share this are delivered one after another where a vendor keeps an order."""
        return self.id


class VendorRequest(SupplementBase):
    """A write to one vendor's management API, such as a person's properties. The other vendors skip it."""

    kind: Literal["vendor_request"] = "vendor_request"
    vendor: Text
    """The vendor's name, as registered: ``voker``."""
    operation: Text
    """What to do, in the words of the vendor's API: ``people.update``."""
    arguments: JsonObject = {}
    subject: Text | None = None
    """What it is about: ``people/user_123``. Requests about one subject stay in their order."""

    @property
    def order(self) -> str:
        """The subject, at this vendor."""
        return f"{self.vendor}:{self.subject or self.id}"


class Reason(Frozen):
    """Why somebody liked or disliked an answer."""

    label: Text
    """In a word or two, such as ``incomplete``."""
    details: Text = ""


def _named(target: str) -> str:
    if not target:
        raise ValueError("names nothing: pass the id of an event or a message, or a session")
    return target


class Annotation(SupplementBase):
    """What is said of something that was recorded before: feedback, measurements, outputs that came later."""

    kind: Literal["annotation"] = "annotation"
    target: Annotated[Text, AfterValidator(_named)] = Field(json_schema_extra={"minLength": 1})
    """Id of an event or of a message, or the name of a session."""
    target_type: Literal["event", "session", "message"] = "event"
    session: Text | None = None
    """The session of an event or a message; looked up in the event log where it is not said."""
    message: Text | None = None
    """Id of the message that an event made; looked up likewise, for vendors that hold conversations."""
    at: Time | None = None
    """When it was said."""
    person: Person | None = None
    """Who said it."""
    rating: Literal["positive", "negative"] | None = None
    comment: Text | None = None
    """In the person's own words."""
    reasons: tuple[Reason, ...] = ()
    action: Text | None = None
    """What a person did with it, such as ``answer_copied``."""
    feedback: JsonObject = {}
    """What else people said about it, by name, such as ``ground_truth``."""
    metrics: JsonObject = {}
    """Measurements and scores by name: numbers, booleans, text."""
    outputs: JsonObject | None = None
    """An event's outputs, known only now; they take the place of those it had."""
    properties: JsonObject = {}

    @property
    def order(self) -> str:
        """The target: of two ratings of one answer the later one counts."""
        return f"annotation:{self.target_type}:{self.target}"


Supplement: TypeAlias = Annotated[Annotation | VendorRequest, Field(discriminator="kind")]
"""Any supplement; tell them apart with ``match`` or by ``kind``."""

_ADAPTER: TypeAdapter[Annotation | VendorRequest] = TypeAdapter(Supplement)


def load_supplement(data: Any) -> Annotation | VendorRequest:
    """The supplement of a JSON object as ``to_json`` writes it.

    Raises:
        pydantic.ValidationError: the object is no supplement.
    """
    return _ADAPTER.validate_python(data)
