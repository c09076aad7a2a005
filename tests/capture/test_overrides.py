"""What is said of one call: taken out before the SDK sees it, and told in the record."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from capture_clients import WAYS, Stage, Way, named
from hypothesis import given
from hypothesis import strategies as st

import llmtee
from llmtee.capture import _overrides
from llmtee.model import Agent, Person

CHAT = WAYS[0]


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_by_keyword(way: Way, stage: Stage) -> None:
    way.run(
        stage.client(way, wrapped=True),
        stage.runner,
        llmtee_session="s",
        llmtee_agent="support",
        llmtee_agent_version="v2",
        llmtee_person="user-1",
        llmtee_properties={"plan": "free"},
        llmtee_tags=["eu"],
    )
    call = stage.notebook.call
    assert call.session == "s"
    assert call.agent == Agent(name="support", version="v2")
    assert call.person == Person(id="user-1")
    assert call.properties == {"plan": "free"}
    assert call.tags == ("eu",)
    [request] = stage.provider.requests
    assert b"llmtee" not in request.body
    assert not any("llmtee" in name for name in request.headers)


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_in_the_words_of_voker(way: Way, stage: Stage) -> None:
    way.run(
        stage.client(way, wrapped=True),
        stage.runner,
        voker_session="s",
        voker_agent="support",
        voker_agent_version="v2",
        voker_person="user-1",
    )
    call = stage.notebook.call
    assert (call.session, call.agent) == ("s", Agent(name="support", version="v2"))
    assert call.person == Person(id="user-1")
    assert b"voker" not in stage.provider.requests[0].body


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_in_extra(way: Way, stage: Stage) -> None:
    extra = {"llmtee": {"session": "s", "agent": "a"}}
    way.run(stage.client(way, wrapped=True), stage.runner, extra=extra, llmtee_agent="b")
    assert extra == {"llmtee": {"session": "s", "agent": "a"}}
    call = stage.notebook.call
    assert (call.session, call.agent) == ("s", Agent(name="b"))


def test_objects_numbers_and_other_scripts(stage: Stage) -> None:
    session = uuid.uuid4()
    CHAT.run(
        stage.client(CHAT, wrapped=True),
        stage.runner,
        llmtee_session=session,
        llmtee_agent=Agent(name="поддержка", version="2"),
        llmtee_person=Person(id="7", properties={"städte": ["Köln"]}),
        llmtee_tags="one\ntwo",
    )
    call = stage.notebook.call
    assert call.session == str(session)
    assert call.agent == Agent(name="поддержка", version="2")
    assert call.person == Person(id="7", properties={"städte": ["Köln"]})
    assert call.tags == ("one\ntwo",)


def test_what_nobody_knows_is_told_and_left_out(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="llmtee"):
        CHAT.run(
            stage.client(CHAT, wrapped=True),
            stage.runner,
            llmtee_sesion="s",
            llmtee_properties=["no mapping"],
        )
    assert stage.notebook.call.session is None
    assert "sesion" in caplog.text
    assert "must be a mapping" in caplog.text


def test_arguments_that_only_look_alike_reach_the_sdk(stage: Stage) -> None:
    with pytest.raises(TypeError, match="voker_unknown"):
        CHAT.run(stage.client(CHAT, wrapped=True), stage.runner, voker_unknown=1)
    with pytest.raises(TypeError, match="extra"):
        CHAT.run(stage.client(CHAT, wrapped=True), stage.runner, extra={"other": 1})


def test_headers_of_the_application_stay(stage: Stage) -> None:
    headers = {"X-Mine": "1"}
    CHAT.run(
        stage.client(CHAT, wrapped=True), stage.runner, extra_headers=headers, llmtee_session="s"
    )
    [request] = stage.provider.requests
    assert request.headers["x-mine"] == "1"
    assert headers == {"X-Mine": "1"}
    assert stage.notebook.call.session == "s"


def test_they_count_more_than_the_session_around(stage: Stage, tmp_path: Any) -> None:
    with llmtee.Tee([], dir=tmp_path, deliver=False) as tee:
        seen: list[bytes] = []
        tee._put = lambda event_id, name, payload, **_: seen.append(payload)  # type: ignore[method-assign]
        client = tee.wrap(CHAT.client(stage.provider))
        with tee.session("outer", agent="a", agent_version="v1", properties={"x": 1}):
            CHAT.run(client, stage.runner, llmtee_session="inner", llmtee_properties={"y": 2})
        tee.unwrap(client)
        CHAT.run(client, stage.runner)
    [record] = map(llmtee.capture._streams.jsontext.loads, seen)
    assert record["session"] == "inner"
    assert record["agent"]["version"] == "v1"
    assert record["properties"] == {"x": 1, "y": 2}


NAMES = st.sampled_from(
    ["model", "messages", "extra_headers", "voker_session", "llmtee_agent", "llmtee_x", "volume"]
)


@given(st.dictionaries(NAMES, st.text()))
def test_only_what_is_ours_is_taken(arguments: dict[str, Any]) -> None:
    given_to_sdk = dict(arguments)
    said = _overrides.take(given_to_sdk)
    assert given_to_sdk == {
        key: value
        for key, value in arguments.items()
        if not key.startswith("llmtee_") and key != "voker_session"
    }
    assert said.keys() <= set(_overrides.FIELDS)
    assert _overrides.take(given_to_sdk) == {}
