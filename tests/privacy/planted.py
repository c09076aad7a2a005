"""Secrets, and an application that logs them wherever it can. Run as a process too: ``planted.py DIR END NAME=URL …``."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import llmtee
from llmtee.privacy import Redaction

CARD = "4111 1111 1111 1111"
KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90"
TOKEN = "t0ken-Zx81-Qv55-opaque"
SESSION = "session of Zoe Quimby"
# As they stand, and parts by which a piece that was left would be found.
SECRETS = (CARD, "1111 1111", KEY, "Cd34Ef56", TOKEN, "Zx81-Qv55", SESSION, "Quimby")

REDACTION = Redaction(
    detect=("all",),
    paths=("session", "person.id"),
    action="pseudonym",
    key="0123456789abcdef-of-the-application",  # type: ignore[arg-type]
)
TEXT = f"my card is {CARD}, the key {KEY}, the header Bearer {TOKEN}"
ESCAPED = json.dumps({"text": TEXT, "note": KEY}).replace("-", "\\u002d").replace(" ", "\\u0020")


def failure() -> llmtee.model.ErrorInfo:  # type: ignore[name-defined]
    """An error whose message is a traceback that quotes the secrets."""
    from llmtee.model import ErrorInfo  # noqa: PLC0415

    try:
        int(TEXT)
    except ValueError as error:
        text = "".join(traceback.format_exception(error))
    return ErrorInfo(message=text, details={"body": TEXT})


def log_everything(tee: llmtee.Tee, number: int = 0) -> None:
    """One session in which the secrets stand wherever a user could put them."""
    person = llmtee.model.Person(id="Quimby", properties={"card": CARD, "x": [TEXT]})  # type: ignore[attr-defined]
    with tee.session(
        f"{SESSION} {number}",
        agent="support",
        person=person,
        properties={"note": TEXT, KEY: "as a key", "nested": {"json": json.dumps({"t": TEXT})}},
        tags=["eu", KEY],
    ):
        tee.record_call(
            "openai-chat",
            request={
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": f"use {KEY}"},
                    {"role": "user", "content": TEXT},
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {
                                "id": "call_1",
                                "type": "function",
                                "function": {"name": "pay", "arguments": ESCAPED},
                            }
                        ],
                    },
                    {
                        "role": "tool",
                        "tool_call_id": "call_1",
                        "content": json.dumps({"got": TEXT}),
                    },
                ],
                "extra_headers": {"Authorization": f"Bearer {TOKEN}", "x-api-key": TOKEN},
                "mcp_servers": [{"url": "https://m.example", "authorization_token": TOKEN}],
            },
            response={
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": "gpt-4o",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": f"I charged {CARD} with {KEY}.",
                        },
                    }
                ],
            },
        )
        tee.record(
            llmtee.ToolRun(name="pay", arguments={"t": TEXT}, result=ESCAPED, error=failure())
        )
        tee.record(llmtee.Step(name=TEXT, inputs={"t": TEXT}, outputs={"t": [ESCAPED]}))
        tee.record_call("openai-chat", request={"model": "m", "messages": TEXT}, error=TEXT)
        tee.record_call("no such format", request={"text": TEXT})
    tee.record(TEXT)  # type: ignore[arg-type]
    tee.end_session(f"{SESSION} {number}")


def main(directory: str, end: str, *servers: str) -> None:
    """Logs, and ends by itself, by SIGKILL, or by an exception that is not caught."""
    exporters: list[Any] = []
    for server in servers:
        name, _, url = server.partition("=")
        kind = getattr(llmtee, name)
        exporters.append(kind(base_url=url, api_key=f"{kind.vendor}-emulator-key"))
    tee = llmtee.Tee(exporters, dir=directory, redact=REDACTION, strict=False, exit_timeout=2)
    for number in range(3):
        log_everything(tee, number)
    sys.stdout.write("logged\n")
    sys.stdout.flush()
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    tee.flush(3)
    sys.stdout.write(repr([tee.stats(), tee.dead_letters(), tee, tee.stats().to_json()]))


def forms(word: str) -> set[bytes]:
    """A word as it may stand somewhere: as it is, escaped, or encoded."""
    plain = word.encode()
    escaped = re.sub(r"[^0-9A-Za-z]", lambda found: f"\\u{ord(found[0]):04x}", word)
    found = {
        plain,
        word.encode("utf-16-le"),
        quote(word, safe="").encode(),
        quote_plus(word).encode(),
        escaped.encode(),
        plain.hex().encode(),
        plain.hex().upper().encode(),
    }
    for shift in range(3):
        # What comes before and after it decides about the first and the last character.
        whole = (shift + len(plain)) * 4 // 3
        for encode in (b64encode, urlsafe_b64encode):
            found.add(encode(bytes(shift) + plain)[(0, 2, 3)[shift] : whole])
    return found


WORDS = {word: forms(word) for word in (*SECRETS, "emulator-key")}


def found_in_bytes(content: bytes) -> list[str]:
    """Which secrets, or vendors' keys, stand in there, however they are written."""
    return [word for word, ways in WORDS.items() if any(way in content for way in ways)]


def found_in(directory: Path) -> list[str]:
    """Which of them stand in which file of a directory: every file, whatever it is."""
    return [
        f"{word!r} in {path.name}"
        for path in directory.rglob("*")
        if path.is_file()
        for word in found_in_bytes(path.read_bytes())
    ]


def found_in_text(*values: Any) -> list[str]:
    """Which of them stand in what values print."""
    text = "".join(value if isinstance(value, str) else repr(value) for value in values)
    return found_in_bytes(text.replace("\\\\", "\\").encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main(*sys.argv[1:])
