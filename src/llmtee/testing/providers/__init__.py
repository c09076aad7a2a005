"""A local server that answers as OpenAI, Anthropic and Google do, streams included, and fails when it is told to.

    from llmtee.testing.providers import Answer, ProviderServer

    with ProviderServer() as provider:
        provider.script(Answer(calls=[("lookup", {"order": 17})]), Answer("It left on Monday."))
        client = OpenAI(base_url=provider.openai_url, api_key="k")

It speaks Chat Completions and Responses, Messages, ``generateContent`` and ``streamGenerateContent``. Needs nothing but
the standard library.
"""

from __future__ import annotations

from llmtee.testing.providers._answers import Answer
from llmtee.testing.providers._server import ProviderRequest, ProviderServer

__all__ = ["Answer", "ProviderRequest", "ProviderServer"]
