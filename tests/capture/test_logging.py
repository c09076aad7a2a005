"""Lines of Python's logging that hold records of model calls."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_clients import Heard

from llmtee.capture.logging import LlmteeHandler

REQUEST = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "Hi"}]}
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4.1-mini",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    ],
}
RECORD = {"request": REQUEST, "response": RESPONSE, "session": "s-1"}


@pytest.fixture
def tee(tmp_path: Path) -> Iterator[Heard]:
    with Heard([], dir=tmp_path / "log") as made:
        yield made


@pytest.fixture
def attached(tee: Heard) -> Iterator[Any]:
    log = logging.getLogger("an.application")
    log.setLevel(logging.INFO)
    handlers: list[logging.Handler] = []

    def attach(**options: Any) -> tuple[LlmteeHandler, logging.Logger]:
        handler = LlmteeHandler(tee, **options)
        log.addHandler(handler)
        handlers.append(handler)
        return handler, log

    yield attach
    for handler in handlers:
        log.removeHandler(handler)


def test_a_line_of_json_is_recorded(tee: Heard, attached: Any) -> None:
    handler, log = attached()
    log.info(json.dumps(RECORD))
    log.info("%s", "a plain line")
    log.info('{"order": 17}')
    log.info("{not json")
    log.info('{"percent": %s', "3")
    [call] = tee.events
    assert (call.session, call.output.text) == ("s-1", "Hello")
    assert call.ended_at is not None
    assert (handler.recorded, handler.ignored) == (1, 4)


def test_extra_and_objects(tee: Heard, attached: Any) -> None:
    _, log = attached()
    log.info("asked", extra={"llm": RECORD})
    log.info(RECORD)
    with tee.session("s-2"):
        log.info("asked", extra={"llm": {"request": REQUEST, "response": RESPONSE}})
    assert [event.session for event in tee.events] == ["s-1", "s-1", "s-2"]
    assert "ended_at" not in RECORD


def test_a_named_format_takes_every_object(tee: Heard, attached: Any) -> None:
    handler, log = attached(format="openai-chat", key="call", level=logging.WARNING)
    log.info(json.dumps(RECORD))  # beneath the level
    log.warning("asked", extra={"call": REQUEST})
    [call] = tee.events
    assert call.model == "gpt-4.1-mini"
    assert handler.recorded == 1


def test_what_llmtee_says_itself_is_left_alone(tee: Heard) -> None:
    log = logging.getLogger("llmtee.test")
    handler = LlmteeHandler(tee)
    log.addHandler(handler)
    log.warning(json.dumps(RECORD))
    log.removeHandler(handler)
    assert not tee.events
