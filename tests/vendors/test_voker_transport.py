"""Voker: key, fingerprint, requests, and what each answer means."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from llmtee._data_files import data_dir
from llmtee.errors import ConfigError
from llmtee.spec import (
    Delivered,
    Exchange,
    Failure,
    Rejected,
    Request,
    Retry,
    TooLarge,
    Unauthorised,
    Unknown,
    WireItem,
)
from llmtee.vendors.voker import VENDOR, GitFacts, Voker
from llmtee.vendors.voker.environment import git_facts, installed_packages
from llmtee.vendors.voker.wire import (
    NO_FINGERPRINT,
    agent_path,
    agent_version_path,
    path_segment,
    person_path,
)

SETTINGS = Voker(api_key="k")
BODY = {"event_name": "llm", "fingerprint_id": NO_FINGERPRINT, "session": "s"}
ITEM = WireItem("event-1", BODY)
FINGERPRINT_SCHEMA = Draft202012Validator(
    json.loads((data_dir("schemas") / "vendors" / "voker" / "fingerprint.json").read_text("utf-8"))
)

NOT_FOUND = b'{"type": "fingerprint-not-found"}'
NOT_FOUND_IN_DETAIL = b'{"detail": {"type": "fingerprint-not-found"}}'
TWO_PROBLEMS = (
    b'{"detail": [{"loc": ["body", "properties", "output"], "msg": "required"},'
    b' {"loc": ["body", "agent"], "msg": "must be text"}]}'
)
HTML = b"<!doctype html><title>Voker</title>"


def judge(settings=SETTINGS, **answer):
    [request] = VENDOR.pack([ITEM], settings, {})
    [verdict] = VENDOR.judge(Exchange(request, **answer), settings)
    return verdict


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "content", "verdict", "words"),
    [
        (200, b"{}", Delivered, ""),
        (200, b"null", Delivered, ""),
        (200, b'{"event": 1}', Delivered, ""),
        (201, b"[]", Delivered, ""),
        (200, HTML, Unknown, "not JSON (is base_url right?)"),
        (200, b"", Unknown, "not JSON"),
        (302, b"", Unauthorised, "base_url"),
        (400, b'{"error": {"message": "bad"}}', Rejected, "400: bad"),
        (401, b'{"detail": "no"}', Unauthorised, "401: no"),
        (403, b"", Unauthorised, "403"),
        (404, NOT_FOUND, Retry, "fingerprint-not-found"),
        (404, NOT_FOUND_IN_DETAIL, Retry, "fingerprint-not-found"),
        (404, b'{"detail": "Not Found"}', Unauthorised, "base_url"),
        (404, HTML, Unauthorised, "base_url"),
        (404, b'{"type": {"odd": 1}, "detail": 7}', Unauthorised, "base_url"),
        (405, b"", Unauthorised, "base_url"),
        (408, b"", Retry, "408"),
        (413, b"", TooLarge, "413"),
        (422, b'{"type": "session-id-empty"}', Rejected, "session: is empty"),
        (422, b'{"detail": {"type": "session-id-empty"}}', Rejected, "session: is empty"),
        (422, TWO_PROBLEMS, Rejected, "422: properties.output: required; agent: must be text"),
        (422, b'{"detail": [{"msg": "bad"}, 5, {"loc": 3}]}', Rejected, "422: bad"),
        (422, HTML, Rejected, "422: <!doctype"),
        (422, b"", Rejected, "422"),
        (429, b"", Retry, "429"),
        (500, b"", Unknown, "500"),
        (502, HTML, Unknown, "502"),
        (503, b"", Retry, "503"),
        (504, b"", Unknown, "504"),
    ],
)
def test_every_answer_has_its_verdict(status, content, verdict, words):
    found = judge(status=status, content=content)
    assert isinstance(found, verdict)
    assert words in getattr(found, "reason", "")


@pytest.mark.parametrize("content", [NOT_FOUND, NOT_FOUND_IN_DETAIL])
def test_only_an_unknown_fingerprint_is_renewed(content):
    assert judge(status=404, content=content) == Retry("404: fingerprint-not-found", refresh=True)
    assert not judge(status=429, content=content).refresh


def test_an_unknown_fingerprint_of_the_users_own_pauses():
    verdict = judge(Voker(api_key="k", fingerprint_id="mine"), status=404, content=NOT_FOUND)
    assert isinstance(verdict, Unauthorised)
    assert "'mine'" in verdict.reason


def test_lost_answers():
    assert isinstance(judge(failure=Failure.NOT_SENT, failure_text="refused"), Retry)
    assert isinstance(judge(failure=Failure.UNANSWERED, failure_text="timeout"), Unknown)


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_request_an_event_with_the_fingerprint_of_the_state():
    second = WireItem("event-2", {**BODY, "session": "t"})
    requests = VENDOR.pack([ITEM, second], SETTINGS, {"fingerprint_id": "fp"})
    assert [(request.method, request.path) for request in requests] == [
        ("POST", "/api/v1/events")
    ] * 2
    assert [request.items for request in requests] == [(ITEM,), (second,)]
    assert [request.body["fingerprint_id"] for request in requests] == ["fp", "fp"]
    assert ITEM.body["fingerprint_id"] == NO_FINGERPRINT


def test_the_key_is_a_bearer_token():
    assert VENDOR.auth(SETTINGS) == {"Authorization": "Bearer k"}
    assert VENDOR.auth(Voker(api_key=" k\n")) == {"Authorization": "Bearer k"}
    with pytest.raises(ConfigError, match="VOKER_API_KEY"):
        VENDOR.auth(Voker(api_key=" "))


# ── the fingerprint ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_fingerprint_says_no_more_than_it_must():
    request = VENDOR.prepare(SETTINGS, {})
    FINGERPRINT_SCHEMA.validate(request.body)
    assert (request.method, request.path) == ("PUT", "/api/v1/fingerprints")
    assert set(request.body) == {"language", "language_version", "system", "voker_sdk_version"}
    assert request.body["voker_sdk_version"] == f"llmtee/{version('llmtee')}"
    assert VENDOR.check(SETTINGS) == request


def test_the_fingerprint_says_more_when_asked():
    git = GitFacts(repository_url="https://github.com/acme/app", branch="main")
    settings = Voker(api_key="k", packages={"httpx": "0.28.1"}, git=git)
    sent = VENDOR.prepare(settings, {}).body
    FINGERPRINT_SCHEMA.validate(sent)
    assert sent["all_packages"] == {"httpx": "0.28.1"}
    assert sent["git_repository_url"] == "https://github.com/acme/app"
    assert sent["git_branch"] == "main"
    assert "git_commit_hash" not in sent


def test_a_fingerprint_of_the_users_own_needs_no_request():
    assert VENDOR.prepare(Voker(api_key="k", fingerprint_id="mine"), {}) is None


def prepared(**answer):
    exchange = Exchange(Request("PUT", "/api/v1/fingerprints"), **answer)
    return VENDOR.prepared(exchange, SETTINGS, {"kept": 1})


def test_the_fingerprint_is_kept_in_the_state():
    answer = prepared(status=200, content=b'{"fingerprint_id": "fp-1"}')
    assert answer == {"kept": 1, "fingerprint_id": "fp-1"}


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        ({"status": 200, "content": HTML}, Unauthorised, "base_url"),
        ({"status": 200, "content": b'{"fingerprint_id": ""}'}, Unauthorised, "fingerprint_id"),
        ({"status": 401}, Unauthorised, "401"),
        ({"status": 404}, Unauthorised, "base_url"),
        ({"status": 413}, Unauthorised, "refuses the fingerprint"),
        (
            {
                "status": 422,
                "content": b'{"detail": [{"loc": ["body", "system"], "msg": "required"}]}',
            },
            Unauthorised,
            "system: required",
        ),
        ({"status": 429, "headers": {"retry-after": "7"}}, Retry, "429"),
        ({"status": 500}, Retry, "500"),
        ({"failure": Failure.NOT_SENT, "failure_text": "refused"}, Retry, "refused"),
        ({"failure": Failure.UNANSWERED, "failure_text": "timeout"}, Retry, "timeout"),
    ],
)
def test_a_fingerprint_that_cannot_be_had_costs_no_event(answer, verdict, words):
    found = prepared(**answer)
    assert isinstance(found, verdict)
    assert words in found.reason


def test_the_fingerprint_waits_as_told():
    assert prepared(status=429, headers={"retry-after": "7"}).after == 7


# ── settings and names ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["agent", "fingerprint_id"])
def test_names_must_not_be_empty(field):
    with pytest.raises(ValidationError, match=field):
        Voker(**{field: ""})


def test_the_key_never_prints_itself():
    assert "planted-secret" not in repr(Voker(api_key="planted-secret"))


def test_names_in_paths_are_percent_encoded():
    assert path_segment("a/b?x#y z%ü") == "a%2Fb%3Fx%23y%20z%25%C3%BC"
    assert person_path("a/b") == "/api/v1/people/a%2Fb"
    assert agent_path("a b") == "/api/v1/agents/a%20b"
    assert agent_version_path("a?", "v#1") == "/api/v1/agents/a%3F/agent-versions/v%231"


def test_installed_packages_are_those_of_this_environment():
    assert installed_packages()["pydantic"] == version("pydantic")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://user:ghp_token@github.com/acme/app.git", "https://github.com/acme/app.git"),
        ("https://token@github.com/acme/app.git", "https://github.com/acme/app.git"),
        ("git@github.com:acme/app.git", "git@github.com:acme/app.git"),
    ],
)
def test_a_repository_address_loses_its_credentials(given, kept):
    assert GitFacts(repository_url=given).repository_url == kept


def git(directory, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_git_facts_are_those_of_the_checkout(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=first")
    git(tmp_path, "remote", "add", "origin", "https://u:secret@example.com/app.git")
    found = git_facts(str(tmp_path))
    assert found.repository_url == "https://example.com/app.git"
    assert found.branch == "trunk"
    assert found.commit_hash == git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "checkout", "--quiet", "--detach")
    assert git_facts(str(tmp_path)).branch is None


def test_no_checkout_no_facts(tmp_path):
    assert git_facts(str(tmp_path / "missing")) is None
