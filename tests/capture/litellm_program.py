# ruff: noqa: T201, BLE001, ASYNC110 - a program, whose output is read
"""Calls through LiteLLM, and what of them is recorded; run in a Python that has it. Prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it looks for a newer one on the network

import litellm
from openai import OpenAI

from llmtee import Tee
from llmtee.capture.litellm import LlmteeLogger
from llmtee.testing.emulators import HoneyHiveEmulator
from llmtee.testing.providers import ProviderServer

litellm.suppress_debug_info = True


def main(directory: str) -> None:
    provider, emulator = ProviderServer(), HoneyHiveEmulator().start()
    tee = Tee([emulator.exporter()], dir=directory, strict=False)
    logger = LlmteeLogger(tee)
    litellm.callbacks = [logger]
    call = {
        "model": "openai/gpt-4.1-mini",
        "api_base": provider.openai_url,
        "api_key": "k",
        "messages": [{"role": "user", "content": "Where is order 17?"}],
    }

    def settled(count: int) -> None:
        deadline = time.monotonic() + 60
        while logger.recorded + logger.duplicates < count and time.monotonic() < deadline:
            time.sleep(0.01)

    metadata = {"session_id": "s-1", "trace_user_id": "u-1", "tags": ["eu"], "plan": "free"}
    litellm.completion(**call, temperature=0.1, metadata=metadata)
    settled(1)
    with tee.session("s-2"):
        for _ in litellm.completion(**call, stream=True):
            pass
    settled(2)
    try:
        litellm.completion(**{**call, "api_base": "http://127.0.0.1:1/v1"}, max_retries=0)
    except Exception as error:
        print(type(error).__name__, file=sys.stderr)
    settled(3)

    async def asynchronously() -> None:
        with tee.session("s-3"):
            await litellm.acompletion(**call)
            async for _ in await litellm.acompletion(**call, stream=True):
                pass
        while logger.recorded < 5:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(asynchronously(), 60))
    client = tee.wrap(OpenAI(base_url=provider.openai_url, api_key="k"))
    litellm.completion(**call, client=client, metadata={"session_id": "s-4"})
    # Right after it, and no part of it.
    client.chat.completions.create(model="m", messages=call["messages"])
    settled(6)
    tee.flush()
    calls = [event for event in emulator.events.values() if event["event_type"] == "model"]
    told = {"recorded": logger.recorded, "duplicates": logger.duplicates, "events": calls}
    told["bugs"] = tee.stats().bugs
    tee.close()
    emulator.stop()
    provider.close()
    print(json.dumps(told))


main(sys.argv[1])
