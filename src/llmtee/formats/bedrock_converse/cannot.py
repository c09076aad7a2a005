"""What Converse cannot say of a model call."""

from __future__ import annotations

from collections.abc import Mapping

from llmtee.formats import _cannot

CANNOT: Mapping[str, str] = {
    **_cannot.ALL,
    **_cannot.MADE_UP,
    **_cannot.ONE_CHOICE,
    **_cannot.NO_NAMES,
    **_cannot.SUMMARY,
    **_cannot.parameters("bedrock-converse", strict=True),
    "parameters.stop": "stop sequences are a list",
    "response_model": "an answer does not name the model",
    "+usage.total_tokens": "the shape demands a total",
    "choices[].message.role": "an answer is the assistant's",
    "**.parts[type=tool_call].arguments_text": "arguments are an object",
    "**.parts[type=refusal].type": "there is no part for a refusal: it is a text",
    "+**.parts[type=text]": "a text stands for media that have no other form",
    "**.parts[type=citation]": "a citation tells a place in its source, not in the answer, and follows a text",
    "+**.parts[type=citation]": "a citation tells a place in its source, not in the answer, and follows a text",
    "**.parts[type=reasoning].{encrypted|id}": "what another provider encrypted is left out",
    "**.parts[type=other]": "a part of another provider is left out",
    "**.parts[type=media].{detail|transcript}": "media have no such field",
    "**.parts[type=media data].url": "bytes go before an address",
    "**.parts[type=media].file_id": "there is no file that an id could name",
    "+**.parts[type=media].mime": "media have to have a type",
    "choices[].finish_reason": "there is no word for a pause",
    **_cannot.counts("reasoning", "tool_use_prompt", *_cannot.MODALITIES, *_cannot.PREDICTIONS),
    "usage.{cache_read|cache_write}": "caches that do not fit the totals have no form",
    "tools[type type!=custom]": "tools that another provider runs are left out",
    "tools[type=custom].type": "the application's tools are functions",
    "input[role=developer|tool].role": "there are a system prompt, a user and an assistant",
    "input[role=developer].parts[].role": "there are a system prompt, a user and an assistant",
    "input[role=system].role": "a system prompt without text is not there",
    "input[role=tool].parts[type!=tool_result].role": "only what a tool answers is of role tool",
    "input[role!=tool].parts[type=tool_result].role": "what a tool answers is the user's to say",
    "input[].boundary": "leading system messages are one prompt, and answers of tools in a row one message",
    "+input[].boundary": "what a tool answers is the user's to say",
    "+**.parts[type=tool_call].arguments": "arguments are an object",
    "**.parts[type=tool_call call_type=custom].call_type": "the application's tools are functions",
    "**.parts[type=tool_result].name": "a tool's answer does not name the tool",
    "**.parts[type=tool_result].parts[type=text]": "one text is the answer itself",
    "+**.parts[type=tool_result].result": "one text is the answer itself",
    "**.parts[type=tool_result parts].result": "parts go before a value",
    "**.parts[type=media media=other].{media|mime}": "other media are written as documents",
    "**.parts[].order": "what cannot be said is left out between",
    "**.parts[type=media].mime": "the type of media tells the format only",
    "**.parts[type=media !data !url]": "a text stands for media that have neither bytes nor an address",
    "**.parts[type=reasoning].{type|signature}": "a thought without text is not there",
}
