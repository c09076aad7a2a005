"""What each detector finds and what it leaves alone, and that no text makes one slow."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from llmtee.privacy import DETECTORS, Redaction

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+abc/d==\n-----END RSA PRIVATE KEY-----"

FOUND = {
    "email": {
        "alice@example.com": "[email]",
        "<mailto:alice+x@mail.example.co.uk>.": "<mailto:[email]>.",
        "jürgen@müller.de": "[email]",
        r"{\"mail\": \"alice\u0040example.com\"}": r"{\"mail\": \"[email]\"}",
        "?to=alice%40example.com": "?to=[email]",
    },
    "card": {
        "4111 1111 1111 1111 12/26": "[card] 12/26",
        "amex 3782-822463-10005.": "amex [card].",
        "5555555555554444,": "[card],",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1": "[card]",
        "room 12 4111111111111111": "room 12 [card]",
    },
    "ip": {
        "from 192.168.1.20:8080": "from [ip]:8080",
        "host 2001:db8::ff00:42:8329.": "host [ip].",
        "::1": "[ip]",
    },
    "phone": {
        "+49 (151) 2345-6789": "[phone]",
        "call 0049 151 23456789!": "call [phone]!",
        "(415) 555-2671": "[phone]",
        "1-415-555-2671": "[phone]",
    },
    "api_key": {
        "sk-proj-Ab12Cd34Ef56Gh78": "[api_key]",
        "sk-ant-api03-Ab12Cd34Ef56Gh78-_x": "[api_key]",
        "AIza" + "SyA1234567890abcdefghijklmnopqrstuv": "[api_key]",
        "AKIAIOSFODNN7EXAMPLE": "[api_key]",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "AWS_SECRET_ACCESS_KEY=[api_key]",
        "ghp_0123456789abcdefABCDEF": "[api_key]",
        "github_pat_11ABCDEFG0123456789_abc": "[api_key]",
        "xoxb-1234567890-abcdef": "[api_key]",
        "sk_live_0123456789abcdef": "[api_key]",
        "hh_0123456789abcdef0123": "[api_key]",
        "VOKER_API_KEY=vk2fd93k": "VOKER_API_KEY=[api_key]",
        "INKEEPANALYTICS_API_INTEGRATION_KEY: f3a9b1c2": "INKEEPANALYTICS_API_INTEGRATION_KEY: [api_key]",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl": "[api_key]",
        f"key:\n{PEM}\nend": "key:\n[api_key]\nend",
        PEM[:50]: "[api_key]",
        r"{\"api_key\": \"ab12cd34\"}": r"{\"api_key\": \"[api_key]\"}",
    },
    "bearer": {
        "Authorization: Bearer ab12cd34": "Authorization: Bearer [bearer]",
        "authorization: basic dXNlcjpwYXNz": "authorization: basic [bearer]",
        "ROARK_API_BEARER_TOKEN=rk9f8e7d": "ROARK_API_BEARER_TOKEN=[bearer]",
    },
    "password": {
        "postgres://app:s3cret!@db:5432/x": "postgres://[password]@db:5432/x",
        "password=hunter2": "password=[password]",
    },
}
LEFT = {
    "email": ["@user", "a@b", "user@localhost", "x @ y.z", "@@@@", "1@2.3"],
    "card": [
        "4111 1111 1111 1112",
        "0.4111111111111111",
        "1700000000000",
        "id_4111111111111111",
        "4111111111111111abc",
        "41111111111111111111111",
    ],
    "ip": ["1.2.3", "256.1.1.1", "12:34:56", "std::vector", "a::b", "v1.2.3.4.5"],
    "phone": ["2026-11-21", "order 48213344", "1700000000", "12.345.678"],
    "api_key": ["task-force-of-the-union", "sk-short", "an API key: required", "monkey=banana1"],
    "bearer": ["bearer of bad news", "basic knowledge", "Bearer authentication"],
    "password": ["the password: required", "https://example.com/a@b", "http://host:8080/x@y"],
}


def one(name: str, text: str) -> str:
    return str(
        Redaction(detect=(name,)).apply({"properties": {"x": text}}).value["properties"]["x"]
    )


@pytest.mark.parametrize(
    ("name", "text", "clean"), [(n, t, c) for n, texts in FOUND.items() for t, c in texts.items()]
)
def test_found(name: str, text: str, clean: str) -> None:
    assert one(name, text) == clean
    assert one(name, clean) == clean


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, texts in LEFT.items() for t in texts])
def test_left_alone(name: str, text: str) -> None:
    assert one(name, text) == text


def test_every_detector_has_examples() -> None:
    assert set(FOUND) == set(LEFT) == set(DETECTORS)


HOSTILE = [
    "a", "1", "@", ".", ":", "-", "a@", "a.", "@a.", "1 ", "4 ", "1.", "1:", "::", "+1", "(415) ", "://a:", "a:b@",
    "://", "%40", "\\", "\\u0040", "\\\\", "password=", "password:a ", "api_key", "sk-", "eyJ", "eyJa.", "Bearer ",
    "-----BEGIN PRIVATE KEY-----", "A ", "[email]", "4111 1111 1111 1112 ", "f:", "0:", "basic ",
]  # fmt: skip


class _Steps:
    """Counts what the interpreter does: the same at every run, whatever else the machine does."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: object, event: str, argument: object) -> _Steps:
        self.count += 1
        return self


def _cost(name: str, text: str) -> int:
    steps = _Steps()
    before = sys.gettrace()
    sys.settrace(steps)
    try:
        list(DETECTORS[name](text))
    finally:
        sys.settrace(before)
    return steps.count


@pytest.mark.parametrize("name", DETECTORS)
def test_python_steps_grow_no_faster_than_the_text(name: str) -> None:
    for piece in HOSTILE:
        small, large = (_cost(name, piece * (size // len(piece))) for size in (1_000, 4_000))
        assert large <= 4.2 * small + 200, piece


def _hostile_megabytes() -> Iterator[str]:
    for piece in HOSTILE:
        yield piece * (1_000_000 // len(piece))
        yield piece * (500_000 // len(piece)) + "!" + piece[::-1] * (500_000 // len(piece))


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_a_hostile_megabyte_comes_to_an_end(name: str) -> None:
    """A quadratic pattern would need 10^12 steps of the matcher: hours, and the suite's timeout ends it."""
    for text in _hostile_megabytes():
        list(DETECTORS[name](text))
