"""Roark on 127.0.0.1: chats, written once and whole, and what its read API answers of them.

Behaves as the seed page *Create a chat* and the vendor's public pages say (November 2026). Where they are silent it is
strict: fields that nobody documents are refused, so is a chat with both of ``agent`` and ``agents`` (which the seed
page's own example has), and so are messages out of order or outside the chat's start and end.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmtee.testing.emulators._base import Answer, Call, Emulator, Route

_CHATS = "/v1/chat"
_PROJECT_HEADER = "x-roark-project-id"
_SORT_FIELDS = {
    "createdAt": "createdAt",
    "startTimestamp": "startTimestamp",
    "endTimestamp": "endTimestamp",
    "duration": "durationMs",
    "title": "title",
}


@dataclass(frozen=True)
class StoredChat:
    """One chat that was accepted."""

    body: Mapping[str, Any]
    """As it came."""
    record: Mapping[str, Any]
    """As ``GET /v1/chat/{id}`` answers it, under ``data``."""


class RoarkEmulator(Emulator):
    """A strict stand-in for Roark.

    Args:
        port: where to listen; 0 takes a free port.
        key: the only key that is accepted.
    """

    vendor = "roark"
    max_bytes = 5_000_000
    routes = (
        Route("POST", _CHATS, "create_chat"),
        Route("GET", _CHATS, "list_chats", write=False),
        Route("GET", _CHATS + "/{id}", "read_chat", write=False),
        Route("GET", _CHATS + "/{id}/transcript", "read_transcript", write=False),
        Route("GET", _CHATS + "/{id}/metrics", "read_metrics", write=False),
    )

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        super().__init__(port=port, key=key)
        self.permissions = {"chat:create", "agent:create"}
        """What the key may do; without one of them, what needs it is answered 403."""
        self.project = _uuid("project", 1)
        """The project of requests whose header names none."""
        self.forget()

    def forget(self) -> None:
        """Empties what was stored."""
        self.chats: list[StoredChat] = []
        """In the order in which they came."""
        self.agents: list[dict[str, Any]] = []
        """Found by id, custom id or exact name, else created: ``id``, ``customId``, ``name``, ``projectId``."""
        self._created = 0

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create_chat(self, call: Call) -> Answer:
        """``POST /v1/chat``: the chat without its messages, title and summary still null."""
        project = self._project(call)
        if project is None:
            return self.refuse(400, f"{_PROJECT_HEADER}: must not be empty")
        if "chat:create" not in self.permissions:
            return self.refuse(403, "missing permission chat:create")
        problem = self.validate("chat.json", call.body) or next(_problems(call.body), None)
        if problem is not None:
            return self.refuse(400, problem)
        body = call.body
        external_id = body.get("externalId")
        if external_id is not None and self._find("externalId", external_id, project) is not None:
            return self.refuse(409, f"externalId: {external_id!r} exists already in this project")
        agents = _listed(body, "agent", "agents")
        known = [self._agent(agent, project) for agent in agents]
        if None in known and "agent:create" not in self.permissions:
            return self.refuse(403, "missing permission agent:create")
        ids = [
            found["id"] if found is not None else self._create_agent(agent, project)["id"]
            for agent, found in zip(agents, known, strict=True)
        ]
        record = self._record(body, project, ids)
        self.chats.append(StoredChat(body, record))
        return Answer(201, {"data": record})

    def _record(self, body: Mapping[str, Any], project: str, agents: list[str]) -> dict[str, Any]:
        now = _iso(dt.datetime.now(dt.UTC))
        self._created += 1
        return {
            "id": _uuid("chat", self._created),
            "projectId": project,
            "organizationId": _uuid("organization", 1),
            "startTimestamp": _iso(_time(body["startTimestamp"])),
            "endTimestamp": _iso(_time(body["endTimestamp"])),
            "durationMs": _offset(body["startTimestamp"], body["endTimestamp"]),
            "title": None,
            "summary": None,
            "createdAt": now,
            "updatedAt": now,
            "simulationJobId": None,
            "simulationRunPlanJobId": None,
            "agents": [{"id": agent} for agent in dict.fromkeys(agents)],
            "customers": _listed(body, "customer", "customers"),
            "properties": body.get("properties", {}),
            "policyIds": [],
            "externalId": body.get("externalId"),
        }

    def _agent(self, wanted: Mapping[str, Any], project: str) -> dict[str, Any] | None:
        for theirs, ours in (("roarkId", "id"), ("customId", "customId"), ("name", "name")):
            for agent in self.agents if wanted.get(theirs) is not None else ():
                if agent["projectId"] == project and agent[ours] == wanted[theirs]:
                    return agent
        return None

    def _create_agent(self, wanted: Mapping[str, Any], project: str) -> dict[str, Any]:
        """Also for an id that is not known here: an agent made in Roark's dashboard before this server started."""
        agent = {
            "id": wanted.get("roarkId") or _uuid("agent", len(self.agents) + 1),
            "customId": wanted.get("customId"),
            "name": wanted.get("name"),
            "description": wanted.get("description"),
            "projectId": project,
        }
        self.agents.append(agent)
        return agent

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def list_chats(self, call: Call) -> Answer:
        """``GET /v1/chat``: newest first by default, in pages with a cursor."""
        project = self._project(call)
        if project is None:
            return self.refuse(400, f"{_PROJECT_HEADER}: must not be empty")
        limit = call.query.get("limit", "20")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            return self.refuse(400, "limit: must be a number from 1 to 100")
        sort_by = call.query.get("sortBy", "createdAt")
        if sort_by not in _SORT_FIELDS:
            return self.refuse(400, f"sortBy: must be one of {', '.join(_SORT_FIELDS)}")
        direction = call.query.get("sortDirection", "desc")
        if direction not in ("asc", "desc"):
            return self.refuse(400, "sortDirection: must be asc or desc")
        field = _SORT_FIELDS[sort_by]
        records = [chat.record for chat in self.chats if chat.record["projectId"] == project]
        # The ids count upwards, so they settle what was created within one millisecond.
        records.sort(key=lambda record: _place(record, field), reverse=direction == "desc")
        left = records
        if "after" in call.query:
            after = _after(call.query["after"])
            if after is None:
                return self.refuse(400, "after: is not a cursor of this list")
            # The place stays when the chat that it names was deleted.
            left = [one for one in records if _is_behind(_place(one, field), after, direction)]
        page = left[: int(limit)]
        more = len(page) < len(left)
        pagination = {
            "total": len(records),
            "hasMore": more,
            "nextCursor": _cursor(page[-1], field) if more else None,
        }
        return Answer(200, {"data": page, "pagination": pagination})

    def read_chat(self, call: Call) -> Answer:
        """``GET /v1/chat/{id}``: without messages."""
        return self._answered(call, lambda chat: chat.record)

    def read_transcript(self, call: Call) -> Answer:
        """``GET /v1/chat/{id}/transcript``: messages with offsets from the chat's start, without tool invocations."""
        return self._answered(call, self._transcript)

    def read_metrics(self, call: Call) -> Answer:
        """``GET /v1/chat/{id}/metrics``: none, since nothing is analysed here."""
        return self._answered(call, lambda _: [])

    def _transcript(self, chat: StoredChat) -> dict[str, Any]:
        speakers: dict[tuple[str, str], dict[str, Any]] = {}
        entries = []
        for message in chat.body["messages"]:
            speaker = self._speaker(chat, message, speakers)
            entries.append(
                {
                    "participantId": speaker["id"],
                    "role": message["role"],
                    "text": message["text"],
                    "startOffsetMs": _offset(
                        chat.body["startTimestamp"], message["startTimestamp"]
                    ),
                    "endOffsetMs": _offset(
                        chat.body["startTimestamp"], message.get("endTimestamp")
                    ),
                }
            )
        return {"participants": list(speakers.values()), "entries": entries}

    def _speaker(
        self, chat: StoredChat, message: Mapping[str, Any], known: dict[tuple[str, str], Any]
    ) -> dict[str, Any]:
        role, agent = message["role"], None
        if role == "AGENT":
            wanted = message.get("agent") or _listed(chat.body, "agent", "agents")[0]
            agent = self._agent(wanted, chat.record["projectId"])
        who = agent["id"] if agent is not None else json.dumps(message.get("customer"))
        if (role, who) not in known:
            participant = {"id": f"participant-{len(known) + 1}", "type": role}
            if agent is not None:
                participant["agentId"] = agent["id"]
            known[role, who] = participant
        found: dict[str, Any] = known[role, who]
        return found

    def _answered(self, call: Call, read: Any) -> Answer:
        project = self._project(call)
        if project is None:
            return self.refuse(400, f"{_PROJECT_HEADER}: must not be empty")
        chat = self._find("id", call.params["id"], project)
        if chat is None:
            return self.refuse(404, f"no chat {call.params['id']!r} in this project")
        return Answer(200, {"data": read(chat)})

    def _find(self, field: str, value: str, project: str) -> StoredChat | None:
        for chat in self.chats:
            if chat.record["projectId"] == project and chat.record[field] == value:
                return chat
        return None

    def _project(self, call: Call) -> str | None:
        """The project that a request is about; ``None`` where the header is there but empty."""
        named = call.headers.get(_PROJECT_HEADER)
        return self.project if named is None else named.strip() or None


# ── what a schema cannot say ────────────────────────────────────────────────────────────────────────────────────


def _problems(body: Mapping[str, Any]) -> Iterator[str]:
    for one, many in (("agent", "agents"), ("customer", "customers")):
        if one in body and many in body:
            yield f"{one}: use either {one} or {many}, not both"
    spans = [("", body)]
    for name in ("messages", "toolInvocations"):
        spans += [(f"{name}[{i}].", entry) for i, entry in enumerate(body.get(name, []))]
    for path, entry in spans:
        for key in ("startTimestamp", "endTimestamp"):
            if key in entry and _time_or_none(entry[key]) is None:
                yield f"{path}{key}: is not a date"
                return
    yield from _misplaced(body, spans)
    agents = _listed(body, "agent", "agents")
    for path, entry in spans[1:]:
        if "agent" in entry and not any(_same_agent(entry["agent"], agent) for agent in agents):
            yield f"{path}agent: is none of the chat's agents"


def _misplaced(
    body: Mapping[str, Any], spans: list[tuple[str, Mapping[str, Any]]]
) -> Iterator[str]:
    start, end = _time(body["startTimestamp"]), _time(body["endTimestamp"])
    for path, entry in spans:
        began = _time(entry["startTimestamp"])
        ended = _time(entry.get("endTimestamp", entry["startTimestamp"]))
        if ended < began:
            yield f"{path}endTimestamp: must not be before startTimestamp"
        if began < start:
            yield f"{path}startTimestamp: must not be before the chat's startTimestamp"
        if ended > end:
            yield f"{path}endTimestamp: must not be after the chat's endTimestamp"
    starts = [_time(message["startTimestamp"]) for message in body["messages"]]
    for i in range(1, len(starts)):
        if starts[i] < starts[i - 1]:
            yield f"messages[{i}].startTimestamp: must not be before that of the message before it"


def _same_agent(reference: Mapping[str, Any], agent: Mapping[str, Any]) -> bool:
    return any(key in agent and agent[key] == value for key, value in reference.items())


def _listed(body: Mapping[str, Any], one: str, many: str) -> list[Any]:
    return [body[one]] if one in body else list(body.get(many, []))


# ── times and ids ───────────────────────────────────────────────────────────────────────────────────────────────


def _time_or_none(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _iso(time: dt.datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _offset(start: str, time: str | None) -> int | None:
    """Milliseconds from the chat's start."""
    return None if time is None else (_time(time) - _time(start)) // dt.timedelta(milliseconds=1)


def _place(record: Mapping[str, Any], field: str) -> tuple[Any, str]:
    """What a list is sorted by."""
    return record[field] or "", record["id"]


def _is_behind(place: tuple[Any, str], after: tuple[Any, str], direction: str) -> bool:
    return place > after if direction == "asc" else place < after


def _cursor(record: Mapping[str, Any], field: str) -> str:
    value = {"sortValue": record[field], "id": record["id"]}
    return base64.b64encode(json.dumps(value).encode()).decode()


def _after(cursor: str) -> tuple[Any, str] | None:
    """The place that a cursor names; ``None`` where it is none."""
    try:
        value = json.loads(base64.b64decode(cursor, validate=True))
        return value["sortValue"] or "", value["id"]
    except (ValueError, KeyError, TypeError):
        return None


def _uuid(kind: str, number: int) -> str:
    """Ids that count upwards, a range for each kind."""
    prefix = ("chat", "agent", "project", "organization").index(kind) + 1
    return f"00000000-0000-4000-{prefix + 8:x}000-{number:012d}"
