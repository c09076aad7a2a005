"""Who serves a model behind an OpenAI-compatible address, by its host.

In the words of OpenTelemetry's GenAI conventions (``gen_ai.provider.name``, 2026) where they have one; else the product's
own name. A host that is not here says nothing, and the format tells by the model's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

HOSTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api.openai.com": "openai",
        "openai.azure.com": "azure.ai.openai",
        "cognitiveservices.azure.com": "azure.ai.openai",
        "services.ai.azure.com": "azure.ai.inference",
        "inference.ai.azure.com": "azure.ai.inference",
        "api.anthropic.com": "anthropic",
        "amazonaws.com": "aws.bedrock",
        "aiplatform.googleapis.com": "gcp.vertex_ai",
        "generativelanguage.googleapis.com": "gcp.gemini",
        "api.cerebras.ai": "cerebras",
        "api.cohere.com": "cohere",
        "api.deepinfra.com": "deepinfra",
        "api.deepseek.com": "deepseek",
        "api.fireworks.ai": "fireworks",
        "api.groq.com": "groq",
        "api.mistral.ai": "mistral_ai",
        "api.moonshot.ai": "moonshot_ai",
        "api.perplexity.ai": "perplexity",
        "api.together.ai": "together",
        "api.together.xyz": "together",
        "api.x.ai": "x_ai",
        "openrouter.ai": "openrouter",
        "router.huggingface.co": "huggingface",
    }
)
"""A host, or the end of one, to the provider's name."""

_PORTS: Final[Mapping[str, str]] = MappingProxyType({"11434": "ollama", "1234": "lm_studio"})
"""Servers that run on the user's own machine, by the port that each has by default."""


@cache
def provider_at(host: str) -> str | None:
    """The provider that answers at a host, with or without its port; ``None`` where it does not tell."""
    name, _, port = host.lower().partition(":")
    while name:
        if name in HOSTS:
            return HOSTS[name]
        name = name.partition(".")[2]
    return _PORTS.get(port)
