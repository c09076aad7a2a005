"""Supplements: what is recorded and delivered as an event is, and is none: no step, and part of no conversation."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from llmtee.model._base import JsonObject, Tagged, Text
from llmtee.model.ids import new_id


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


Supplement: TypeAlias = VendorRequest
"""Any supplement; tell them apart with ``match`` or by ``kind``."""


def load_supplement(data: Any) -> Supplement:
    """The supplement of a JSON object as ``to_json`` writes it.

    Raises:
        pydantic.ValidationError: the object is no supplement.
    """
    return VendorRequest.model_validate(data)
