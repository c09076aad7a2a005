"""Who serves a model: in the words that tracers and routers have for it, or told by the model's name."""

from __future__ import annotations

_MAKERS = {
    "openai": "openai",
    "azure": "azure.ai.openai",
    "anthropic": "anthropic",
    "google": "gcp.gemini",
    "gemini": "gcp.gemini",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "x-ai": "x_ai",
    "xai": "x_ai",
    "deepseek": "deepseek",
    "groq": "groq",
    "cohere": "cohere",
    "perplexity": "perplexity",
    "moonshotai": "moonshot_ai",
}
"""Before the slash in ``anthropic/claude-sonnet-4``, as routers write it, to the words of OpenTelemetry."""

_FAMILIES = {
    "claude-": "anthropic",
    "gemini-": "gcp.gemini",
    "mistral-": "mistral_ai",
    "grok-": "x_ai",
    "deepseek-": "deepseek",
    "command-": "cohere",
    "sonar": "perplexity",
    "kimi-": "moonshot_ai",
}


def provider_of(model: str | None) -> str | None:
    """The provider: ``openai`` unless the model's name tells otherwise; ``None`` for a maker that has no such word."""
    if model is None:
        return "openai"
    maker, slash, _ = model.rpartition("/")
    if slash:
        return _MAKERS.get(maker.rpartition("/")[2] if maker not in _MAKERS else maker)
    return next((name for start, name in _FAMILIES.items() if model.startswith(start)), "openai")


_WORDS = {
    **_MAKERS,
    **dict.fromkeys(("azure_openai", "az.ai.openai"), "azure.ai.openai"),
    "az.ai.inference": "azure.ai.inference",
    "google_genai": "gcp.gemini",
    **dict.fromkeys(("google_vertexai", "vertexai", "vertex_ai"), "gcp.vertex_ai"),
    **dict.fromkeys(("amazon", "aws", "amazon_bedrock", "bedrock_converse"), "aws.bedrock"),
    "moonshot": "moonshot_ai",
}
"""Words of OpenTelemetry's older versions, of LangChain, LangSmith, Vercel and OpenInference."""


def provider_word(word: str) -> str:
    """A tracer's word for a provider in that of OpenTelemetry; one that nobody knows stays as it is."""
    return _WORDS.get(word.lower(), word)
