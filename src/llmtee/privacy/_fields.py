"""What the fields of the canonical model are to redaction; those of records around a provider's bodies are the same.

Fields that are not listed hold somebody's own JSON, in which every text and every key is looked at.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "node", "id", "ids", "fixed", "free"]
"""``text``: words, looked at. ``node``: another canonical value. ``id``, ``ids``: names of things, changed only by a path
that leads there. ``fixed``: tags, times, numbers and opaque data, which no detector looks at."""

_KINDS: dict[Kind, str] = {
    "node": "input choices message messages parts tools template agent agents person people error generation "
    "tool_runs branches native usage cost",
    "text": "name title description url transcript filename cited_text label breadcrumbs text summary model "
    "response_model provider source tags language version agent_version arguments_text finish_reason_raw code "
    "detail visibility step_type call_type amount",
    "id": "id session parent trace_id call_id event file_id after",
    "ids": "ids source_ids",
    "fixed": "kind type role media mime sha256 signature encrypted dialect finish_reason started_at ended_at "
    "first_token_at updated_at duration_ms segment size status synthetic_id is_error start end flags source_type "
    "currency reason detached",
}
KINDS: dict[str, Kind] = {name: kind for kind, names in _KINDS.items() for name in names.split()}

REQUIRED = frozenset({"text", "name", "message", "amount"})
"""Fields that some value cannot be without: emptied where another would be dropped."""
TAGS = frozenset({"kind", "type", "role", "media", "dialect"})
"""Never touched, not even by a path: without them nothing can be read."""
OWN_IDS = ("id", "session", "parent", "trace_id")
"""What joins events with one another."""
STRINGS = {"person": "id", "agent": "name"}
"""What a record may say by a text alone, and the field that the text stands for."""
PLAIN = frozenset(
    {"type", "role", "object", "model", "finish_reason", "stop_reason", "status", "kind"}
)
"""Fields of provider bodies whose words are not a person's: a text that was found elsewhere is not looked for there."""


def kind_of(name: str, owner: dict[str, object]) -> Kind:
    """The kind of a field of a canonical value."""
    if name == "data" and owner.get("type") == "media":
        return "fixed"
    if name == "person" and isinstance(owner.get(name), str):
        return "id"
    if name == "extra" or (name == "messages" and "variables" in owner):
        return "free"
    return KINDS.get(name, "free")
