"""Gemini ``generateContent``: request and response, or either alone, to a model call and back.

Facts: the Gemini API's reference and the types of Google's SDKs, autumn 2026. Both spellings of keys are read, and so
are both forms of a request: the one on the wire, with ``generationConfig``, and the arguments of the SDKs, with
``config``. The model stands in the URL on the wire: it is read from ``model`` in the request, or beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtee.errors import InputError
from llmtee.formats import records
from llmtee.formats._stored import joined
from llmtee.formats.gemini.cannot import CANNOT
from llmtee.formats.gemini.detect import detect, kind
from llmtee.formats.gemini.names import (
    OWNER,
    normalise,
    own,
    respell,
    respell_path,
)
from llmtee.formats.gemini.request import decode_request, encode_request
from llmtee.formats.gemini.response import decode_response, encode_response
from llmtee.formats.gemini.stream import GeminiStream
from llmtee.formats.gemini.tools import Pairing
from llmtee.jsonfields import text_or_none
from llmtee.model import Item, ModelCall
from llmtee.spec import Format

NAME = OWNER
DIALECT = "gemini-models"


def decode(raw: Any) -> list[Item]:
    """One record as a list of one model call; see `decode_record`."""
    return [decode_record(raw)]


def decode_record(raw: Any) -> ModelCall:
    """One record, ``{"request": …, "response": …}`` with what stands beside them, or either alone.

    A response that is a list of chunks, or the text of server-sent events, is put together first.

    What the record says of the event (see ``formats/records.py``) goes before what request and response say:

    - the id is the record's own, else derived from ``responseId``, else from the whole record;
    - the model is the request's ``model``, else the record's;
    - a record without times is dated by ``createTime``, when the server took the request;
    - a failure comes from ``error`` in the record, else in the response.

    The parameters that all providers share have the common names (``max_output_tokens``, ``top_p``, ``stop``, ``n``,
    …); the others keep Gemini's. A blocked prompt is an answer without content whose finish reason is
    ``content_filter``. What has no canonical home is in ``extra["gemini"]``.

    Raises:
        InputError: something is not of the shape; the error names its JSON path.
    """
    record = records.read(joined(raw, GeminiStream), kind)
    pairing = Pairing()
    asked, request_spelling = _side(record.request, record.request_path, pairing, decode_request)
    answered, spelling = _side(record.response, record.response_path, pairing, decode_response)
    response_id = answered.pop("response_id", None)
    created = answered.pop("created", None)
    ours = {**asked.pop("ours", {}), **answered.pop("ours", {})}
    ours |= {"request_spelling": "snake"} if request_spelling else {}
    ours |= {"response_spelling": "snake"} if spelling else {}
    given = dict(record.fields)
    if asked.get("model") is None and record.request_path and record.response_path:
        asked["model"] = text_or_none(record.raw.get("model"), "model")

    provider = record.provider or _provider(asked, answered)
    fields: dict[str, Any] = {**asked, **answered, **given, "provider": provider}
    flags = (*given.get("flags", ()), *answered.get("flags", ()))
    fields["flags"] = tuple(dict.fromkeys(flags))
    fields["id"] = record.event_id(NAME, response_id)
    if response_id:
        fields["source_ids"] = {provider: response_id, **given.get("source_ids", {})}
    if created is not None and not {"started_at", "ended_at"} & given.keys():
        fields["started_at"] = created
    if ours:
        fields["extra"] = {**given.get("extra", {}), NAME: ours}
    native = record.native(DIALECT)
    return ModelCall(**fields, native=native)


def _side(raw: Any, path: str, pairing: Pairing, read: Any) -> tuple[dict[str, Any], bool]:
    """Request or response, and whether its keys are spelled as in Python."""
    if raw is None:
        return {}, False
    normal, snake = normalise(raw)
    try:
        return read(normal, path, pairing), snake
    except InputError as error:
        if snake and error.path:  # the path has to be found in the record as it is
            raise InputError(error.reason, path=respell_path(error.path)) from None
        raise


def _provider(asked: Mapping[str, Any], answered: Mapping[str, Any]) -> str:
    """Vertex AI where something tells so that only Vertex AI has, else the Gemini API."""
    model = asked.get("model") or ""
    usage = answered.get("usage")
    on_vertex = (
        model.startswith(("projects/", "publishers/"))
        or "labels" in asked.get("parameters", {})
        or any(usage and usage.raw.get(key) for key in ("trafficType", "traffic_type"))
    )
    return "gcp.vertex_ai" if on_vertex else "gcp.gemini"


def encode_call(call: ModelCall) -> dict[str, Any]:
    """A model call as ``{"request": …, "response": …}``, from the canonical fields, never from ``native``.

    Total: what Gemini cannot say is written as the nearest thing it can, or left out. The request has a ``model``, as
    the SDKs take it. ``response`` is ``None`` for a call without an answer, and an error body for one that failed.
    """
    request, response = encode_request(call), encode_response(call)
    ours = own(call)
    return {
        "request": respell(request) if ours.get("request_spelling") == "snake" else request,
        "response": respell(response) if ours.get("response_spelling") == "snake" else response,
    }


FORMAT = Format(
    name=NAME,
    title="Gemini generateContent",
    dialect=DIALECT,
    decode=decode,
    encode=encode_call,
    detect=detect,
    stream=GeminiStream,
    cannot=CANNOT,
)
