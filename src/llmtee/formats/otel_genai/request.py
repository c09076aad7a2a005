"""What a span says that a model was asked with: provider, models, parameters, tools, template."""

from __future__ import annotations

from typing import Any

from llmtee.formats.otel_genai.attributes import Attributes
from llmtee.formats.otel_genai.messages import read_tool
from llmtee.formats.otel_genai.openinference import tool_definitions
from llmtee.formats.providers import provider_word
from llmtee.model import PromptTemplate, ToolDefinition

_PARAMETERS = {
    "max_tokens": "max_output_tokens",
    "stop_sequences": "stop",
    "choice.count": "n",
    "maxTokens": "max_output_tokens",
    "maxOutputTokens": "max_output_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "max_completion_tokens": "max_output_tokens",
}
"""Names of parameters that differ from the canonical ones."""


def finish_words(attributes: Attributes) -> list[str]:
    """Why each answer ended, in the words of whoever wrote the span."""
    keys = ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason")
    found = attributes.json(*keys, "ai.response.finishReason")
    listed = found if isinstance(found, list) else [found]
    return [word for word in listed if isinstance(word, str)]


def read_provider(attributes: Attributes) -> str | None:
    """Who served the model, in OpenTelemetry's word for it."""
    word = attributes.text("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
    if word is None:
        word = (attributes.text("ai.model.provider") or "").partition(".")[0] or None
    if word is None:
        return None
    provider = provider_word(word.lower())
    if provider != word:
        attributes.keep(
            "gen_ai.provider.name", "gen_ai.system", "llm.provider", "ai.model.provider"
        )
    return provider


def read_models(
    attributes: Attributes, parameters: dict[str, Any], answered: bool
) -> tuple[str | None, str | None]:
    """The model asked for and the one that answered. OpenInference's ``llm.model_name`` is the second, else the first."""
    asked = attributes.text("gen_ai.request.model", "llm.request.model_name", "ai.model.id")
    told = parameters.pop("model", None)
    asked = asked or (told if isinstance(told, str) else None)
    either = attributes.text("llm.model_name", "langfuse.observation.model.name")
    replied = attributes.text(
        "gen_ai.response.model", "llm.response.model_name", "ai.response.model"
    )
    return asked or either, replied or (either if answered else None)


def read_parameters(attributes: Attributes) -> dict[str, Any]:
    """The parameters of a call, under their canonical names."""
    found: dict[str, Any] = {}
    given = attributes.object("llm.invocation_parameters", "langfuse.observation.model.parameters")
    for prefix, values in (
        ("", given),
        ("gen_ai.request.", attributes.under("gen_ai.request.")),
        ("ai.settings.", attributes.under("ai.settings.")),
        ("openai.request.", attributes.under("openai.request.")),
    ):
        for key, value in values.items():
            if (prefix, key) != ("gen_ai.request.", "model") and value is not None:
                found[_PARAMETERS.get(key, key)] = value
                attributes.take(prefix + key)
    for key in ("messages", "tools"):  # some emitters put the whole request there
        if found.pop(key, None) is not None:
            attributes.keep("llm.invocation_parameters")
    return found


def read_tools(attributes: Attributes, owner: str) -> tuple[ToolDefinition, ...]:
    """The tools that a model was offered."""
    listed = attributes.json("gen_ai.tool.definitions", "ai.prompt.tools")
    if listed is None and attributes.has("llm.tools."):
        listed = tool_definitions(attributes)
    if listed is None and attributes.has("llm.request.functions."):
        listed = attributes.tree("llm.request.functions")
    return tuple(read_tool(one, owner) for one in listed) if isinstance(listed, list) else ()


def read_template(attributes: Attributes) -> PromptTemplate | None:
    """The template that the input was made from."""
    text = attributes.json("llm.prompt_template.template")
    variables = attributes.object("llm.prompt_template.variables")
    own = attributes.text("gen_ai.prompt.name", "langfuse.observation.prompt.name")
    version = attributes.text(
        "llm.prompt_template.version",
        "gen_ai.prompt.version",
        "langfuse.observation.prompt.version",
    )
    if text is None and not variables and own is None and version is None:
        return None
    return PromptTemplate(messages=text, variables=variables, id=own, version=version)
