"""Inkeep Analytics on 127.0.0.1: conversations that each write replaces, feedback and events.

Behaves as the seed page and the vendor's TypeScript SDK say (2026-11), and where they are silent as is safest to
assume: unknown fields and U+0000 are refused, and an upsert deletes the messages that it leaves out.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from llmtee import jsontext
from llmtee.testing.emulators._base import Answer, Call, Emulator, Route

_CODES = {
    400: ("bad_request", "Bad Request"),
    401: ("unauthorized", "Unauthorized"),
    403: ("forbidden", "Forbidden"),
    404: ("not_found", "Not Found"),
    405: ("method_not_allowed", "Method Not Allowed"),
    413: ("payload_too_large", "Payload Too Large"),
    422: ("unprocessable_entity", "Unprocessable Entity"),
    429: ("too_many_requests", "Too Many Requests"),
}
_NULLABLE = (
    *("externalId", "externalUrl", "supportTicketConversationId", "projectId", "integrationId"),
    "visibility",
)
_OPENAI_FORMAT = ("role", "name", "content", "tool_calls")
_LARGEST_PAGE = 100


class InkeepEmulator(Emulator):
    """A strict stand-in for Inkeep Analytics.

    Two keys are accepted: ``key``, of an API integration, and `web_key`, of a Web integration, which writes and reads
    single conversations, and is answered 403 for anything else.

    Args:
        port: where to listen; 0 takes a free port.
        key: the API integration's key.
        max_bytes: largest body that is taken.
    """

    vendor = "inkeep"
    routes = (
        Route("POST", "/conversations", "log_conversation"),
        Route("GET", "/conversations", "list_conversations", write=False),
        Route("GET", "/conversations/external/{external_id}", "find_conversation", write=False),
        Route("GET", "/conversations/{id}", "read_conversation", write=False),
        Route("DELETE", "/conversations/{id}", "delete_conversation"),
        Route("POST", "/feedback", "submit_feedback"),
        Route("GET", "/feedback", "list_feedback", write=False),
        Route("GET", "/feedback/{id}", "read_feedback", write=False),
        Route("DELETE", "/feedback/{id}", "delete_feedback"),
        Route("POST", "/events", "log_event"),
    )

    def __init__(
        self, *, port: int = 0, key: str | None = None, max_bytes: int = 2_000_000
    ) -> None:
        super().__init__(port=port, key=key)
        self.max_bytes = max_bytes
        self.web_key = f"{self.key}-web"
        """The key of a Web integration."""
        self.order: Literal["created", "newest", "changed"] = "created"
        """Of the list of conversations, which is not documented: as they came, by ``createdAt`` from the newest, or by
        ``updatedAt`` from the last changed, so that a write moves what was read and what was not."""
        self.forget()

    def forget(self) -> None:
        """Empties what was stored."""
        self.conversations: dict[str, dict[str, Any]] = {}
        """The newest state of each conversation, as the read endpoints answer it, by id."""
        self.writes: dict[str, list[dict[str, Any]]] = {}
        """Every body that was written of a conversation, in order, by id."""
        self.feedback: dict[str, dict[str, Any]] = {}
        """By id."""
        self.events: list[dict[str, Any]] = []
        """Usage events, in order."""
        self._refusals = 0

    def authorised(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers hold one of the two keys."""
        return headers.get("authorization") in (f"Bearer {self.key}", f"Bearer {self.web_key}")

    def refuse(self, status: int, message: str) -> Answer:
        """A problem document, with the code in its newer and its older place."""
        code, title = _CODES.get(status, ("internal_server_error", "Internal Server Error"))
        self._refusals += 1
        problem = {
            "title": title,
            "status": status,
            "detail": message,
            "requestId": f"req_{self._refusals}",
            "code": code,
            "error": {"code": code, "message": message},
        }
        return Answer(status, problem, {"content-type": "application/problem+json"})

    # ── conversations ───────────────────────────────────────────────────────────────────────────────────────────

    def log_conversation(self, call: Call) -> Answer:
        """``POST /conversations``: creates or replaces; messages that are left out are deleted."""
        if (refusal := self._invalid("conversation.json", call)) is not None:
            return refusal
        ids = [message["id"] for message in call.body["messages"] if "id" in message]
        if len(ids) != len(set(ids)):
            return self.refuse(422, "messages: two messages have the same id")
        conversation_id = call.body.get("id") or _new_id()
        stored = self._stored(conversation_id, call.body)
        self.conversations[conversation_id] = stored
        self.writes.setdefault(conversation_id, []).append(call.body)
        return Answer(200, stored)

    def list_conversations(self, call: Call) -> Answer:
        """``GET /conversations``: ``limit`` (20, at most 100) and ``offset`` (0), in `order`."""
        if self._is_web(call):
            return self._forbidden()
        page = self._page(call, 20)
        if isinstance(page, Answer):
            return page
        offset, limit = page
        found = list(self.conversations.values())
        if self.order != "created":
            time = "createdAt" if self.order == "newest" else "updatedAt"
            found.sort(key=lambda one: dt.datetime.fromisoformat(one[time]), reverse=True)
        shown = found[offset : offset + limit]
        return Answer(
            200,
            {"conversations": shown, "total": len(found), "pageSize": limit, "count": len(shown)},
        )

    def read_conversation(self, call: Call) -> Answer:
        """``GET /conversations/{id}``: for both kinds of key."""
        return self._found(self.conversations.get(call.params["id"]), "conversation")

    def find_conversation(self, call: Call) -> Answer:
        """``GET /conversations/external/{externalId}``: the newest, since external ids are not unique."""
        if self._is_web(call):
            return self._forbidden()
        wanted = call.params["external_id"]
        found = [one for one in self.conversations.values() if one["externalId"] == wanted]
        return self._found(found[-1] if found else None, "conversation")

    def delete_conversation(self, call: Call) -> Answer:
        """``DELETE /conversations/{id}``."""
        return self._found(self.conversations.pop(call.params["id"], None), "conversation")

    def _stored(self, conversation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        before = self.conversations.get(conversation_id, {})
        known = {message["id"]: message for message in before.get("messages", ())}
        now = _now()
        messages = [
            {
                **message,
                "id": (message_id := message.get("id") or _new_id()),
                "type": body["type"],
                "conversationId": conversation_id,
                "createdAt": message.get("createdAt")
                or known.get(message_id, {}).get("createdAt", now),
                "updatedAt": message.get("updatedAt") or now,
            }
            for message in body["messages"]
        ]
        stored = {
            **dict.fromkeys(_NULLABLE),
            **body,
            "id": conversation_id,
            "createdAt": body.get("createdAt") or before.get("createdAt", now),
            "updatedAt": body.get("updatedAt") or now,
            "messages": messages,
        }
        if body["type"] == "openai":
            stored["messagesOpenAIFormat"] = [
                {key: message[key] for key in _OPENAI_FORMAT if key in message}
                for message in messages
            ]
        return stored

    # ── feedback and events ─────────────────────────────────────────────────────────────────────────────────────

    def submit_feedback(self, call: Call) -> Answer:
        """``POST /feedback``: thumbs up or down on a stored message."""
        if (refusal := self._invalid("feedback.json", call)) is not None:
            return refusal
        if self._message(call.body["messageId"]) is None:
            return self.refuse(404, f"no message {call.body['messageId']!r}")
        feedback = {"createdAt": _now(), **call.body, "id": call.body.get("id") or _new_id()}
        self.feedback[feedback["id"]] = feedback
        return Answer(200, feedback)

    def list_feedback(self, call: Call) -> Answer:
        """``GET /feedback``: ``limit`` (10) and ``offset`` (0), each with its conversation and message."""
        if self._is_web(call):
            return self._forbidden()
        page = self._page(call, 10)
        if isinstance(page, Answer):
            return page
        offset, limit = page
        kinds = {
            kind: [self._in_context(one) for one in self.feedback.values() if one["type"] == kind]
            for kind in ("positive", "negative")
        }
        return Answer(
            200,
            {f"{kind}FeedbackCount": len(found) for kind, found in kinds.items()}
            | {f"{kind}Feedback": found[offset : offset + limit] for kind, found in kinds.items()},
        )

    def read_feedback(self, call: Call) -> Answer:
        """``GET /feedback/{id}``."""
        if self._is_web(call):
            return self._forbidden()
        return self._found(self.feedback.get(call.params["id"]), "feedback")

    def delete_feedback(self, call: Call) -> Answer:
        """``DELETE /feedback/{id}``: only with the key of an API integration."""
        if self._is_web(call):
            return self._forbidden()
        return self._found(self.feedback.pop(call.params["id"], None), "feedback")

    def log_event(self, call: Call) -> Answer:
        """``POST /events``: a usage event of a stored conversation or message, or of a search."""
        if (refusal := self._invalid("event.json", call)) is not None:
            return refusal
        said = call.body
        if said["entityType"] == "message" and self._message(said["messageId"]) is None:
            return self.refuse(404, f"no message {said['messageId']!r}")
        if (
            said["entityType"] == "conversation"
            and said["conversationId"] not in self.conversations
        ):
            return self.refuse(404, f"no conversation {said['conversationId']!r}")
        event = {"createdAt": _now(), **said, "id": said.get("id") or _new_id()}
        self.events = [one for one in self.events if one["id"] != event["id"]] + [event]
        return Answer(200, event)

    def _in_context(self, feedback: dict[str, Any]) -> dict[str, Any]:
        message = self._message(feedback["messageId"])
        conversation = self.conversations.get(message["conversationId"]) if message else None
        return {**feedback, "conversation": conversation, "message": message}

    def _message(self, message_id: str) -> dict[str, Any] | None:
        return next(
            (
                message
                for conversation in self.conversations.values()
                for message in conversation["messages"]
                if message["id"] == message_id
            ),
            None,
        )

    # ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────

    def _is_web(self, call: Call) -> bool:
        return call.headers.get("authorization") == f"Bearer {self.web_key}"

    def _forbidden(self) -> Answer:
        return self.refuse(
            403, "the key of a Web integration only writes; use an API integration's"
        )

    def _found(self, value: dict[str, Any] | None, what: str) -> Answer:
        return self.refuse(404, f"no such {what}") if value is None else Answer(200, value)

    def _invalid(self, schema: str, call: Call) -> Answer | None:
        if not isinstance(call.body, dict):
            return self.refuse(400, "the body must be a JSON object")
        if (problem := self.validate(schema, call.body)) is not None:
            return self.refuse(422, problem)
        if b"\\u0000" in jsontext.dumps(call.body) and _has_nul(call.body):
            return self.refuse(422, "text must not contain U+0000")
        return None

    def _page(self, call: Call, default: int) -> tuple[int, int] | Answer:
        try:
            offset = int(call.query.get("offset", 0))
            limit = int(call.query.get("limit", default))
        except ValueError:
            return self.refuse(400, "limit and offset must be whole numbers")
        if offset < 0 or not 1 <= limit <= _LARGEST_PAGE:
            return self.refuse(400, f"limit must be 1 to {_LARGEST_PAGE}, offset at least 0")
        return offset, limit


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _new_id() -> str:
    return f"gen_{uuid.uuid4().hex}"


def _now() -> str:
    now = dt.datetime.now(dt.UTC)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
