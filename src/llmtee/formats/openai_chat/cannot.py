"""What Chat Completions cannot say of a model call."""

from __future__ import annotations

from collections.abc import Mapping

from llmtee.formats import _cannot

CANNOT: Mapping[str, str] = {
    **_cannot.ALL,
    **_cannot.MADE_UP,
    **_cannot.SUMMARY,
    **_cannot.PLAIN_CALLS,
    **_cannot.parameters("openai-chat"),
    "choices[finish_reason=pause].finish_reason": "there is no word for a pause",
    "+person": "the request's user is who it is for",
    "+usage.total_tokens": "the shape demands a total",
    **_cannot.counts("cache_write_5m", "cache_write_1h", "tool_use_prompt"),
    # messages
    "input[role=tool|function].parts[type!=tool_result].role": "a message of role tool has to answer a call",
    "input[].name": "a message of role tool has no speaker, and one of which nothing can be said is not there",
    "input[role=tool|function !parts].role": "a message of role tool has to answer a call",
    "input[role!=tool].parts[type=tool_result].role": "what a tool answers is a message of role tool",
    "+input[].boundary": "what a tool answers is a message of its own",
    "choices[].message.role": "an answer is the assistant's",
    "**.parts[].order": "content, reasoning, calls and annotations are fields of their own, without an order among them",
    # texts
    "choices[].message.parts[type=text]": "the content of an answer is one text: several are joined",
    # reasoning
    "**.parts[type=reasoning].{signature|encrypted|id}": "only the text of a thought has a field",
    "+**.parts[type=reasoning].type": "a message has one thought: several are joined",
    "**.parts[type=reasoning].{type|text}": "a message has one thought: several are joined, and an encrypted one has no text",
    # calls
    "+**.parts[type=tool_call].arguments_text": "arguments are written as text",
    "+**.parts[type=tool_call].arguments": "text is read as the JSON that it is",
    "**.parts[type=tool_call arguments_text call_type!=custom].arguments": "the arguments are what their text says",
    "**.parts[type=tool_call call_type=custom].arguments": "the arguments of a custom tool are text",
    "choices[].message.parts[type=tool_result]": "an answer has no place for what a tool answered",
    "input[].parts[type=tool_result].is_error": "a tool's answer does not say whether it failed",
    "input[].parts[type=tool_result !parts result:object|list|number|boolean].result": "a tool's answer is text, or parts",
    "input[].parts[type=tool_result parts].result": "parts go before a value",
    "+input[].parts[type=tool_result].result": "a tool's answer is text, or parts",
    # citations
    "**.parts[type=citation].{cited_text|source_type|file_id|label|description|breadcrumbs}": "an annotation has an address, a title and a place",
    "+**.parts[type=citation].source_type": "what is cited is a page of the web",
    # media
    "**.parts[type=media].transcript": "only what the model itself said has a transcript",
    "**.parts[type=media media!=image].detail": "only an image is looked at in detail",
    "**.parts[type=media media=image|audio].{filename|file_id}": "an image or audio has an address or bytes, and nothing else",
    "**.parts[type=media data].url": "bytes go before an address",
    "**.parts[type=media !data].mime": "only bytes have a type",
    "**.parts[type=media media=audio].{mime|url}": "audio is bytes in one of few formats",
    "**.parts[type=media media=image !data !url].{media|detail}": "an image without address or bytes is written as a file",
    "**.parts[type=media media=audio !data].media": "audio without bytes is written as a file",
    "**.parts[type=media media=video|other].media": "other media are written as files",
    "+**.parts[type=media].mime": "a data URL has to name a type",
    "**.parts[type=media !data !url !file_id !filename].type": "a text stands for media that were not kept",
    "+**.parts[type=text]": "a text stands for media that were not kept",
    "**.parts[type=other].data": "a part of another provider is written with its name as type",
    "+**.parts[type=other].data": "a part of another provider is written with its name as type",
    "**.parts[type=media].{sha256|size}": "media are written, and not described",
}
