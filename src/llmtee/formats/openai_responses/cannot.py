"""What Responses cannot say of a model call."""

from __future__ import annotations

from collections.abc import Mapping

from llmtee.formats import _cannot

CANNOT: Mapping[str, str] = {
    **_cannot.ALL,
    **_cannot.MADE_UP,
    **_cannot.ONE_CHOICE,
    **_cannot.NO_NAMES,
    **_cannot.PLAIN_CALLS,
    **_cannot.parameters("openai-responses"),
    "choices[0:].finish_reason": "an answer has a status, and whether it calls for tools shows",
    "+person": "the request's user is who it is for",
    "+usage.total_tokens": "the shape demands a total",
    **_cannot.counts("cache_write_5m", "cache_write_1h", "tool_use_prompt"),
    # messages
    "input[role=tool|function].parts[type!=tool_result].role": "a message of role tool has to answer a call",
    "input[role=tool|function !parts].role": "a message of role tool has to answer a call",
    "input[role!=tool].parts[type=tool_result].role": "what a tool answers is an item of its own",
    "input[role!=assistant].parts[type=tool_call|reasoning].role": "what is called and thought is the assistant's",
    "input[].boundary": "what the assistant does in a row is one turn",
    "+input[].boundary": "what the assistant calls and thinks are items of their own",
    "choices[].message.role": "an answer is the assistant's",
    "+**.parts[type=text]": "a citation needs a text to stand at, and a text stands for media that were not kept",
    "**.parts[].order": "an annotation belongs to a text",
    "input[role=assistant !parts].role": "a turn without items is not there",
    # reasoning
    "**.parts[type=reasoning].{signature|type}": "the signature of another provider is left out",
    "+**.parts[type=reasoning].type": "the signature of another provider is left out",
    # calls
    "+**.parts[type=tool_call].arguments_text": "arguments are written as text",
    "+**.parts[type=tool_call].arguments": "text is read as the JSON that it is",
    "**.parts[type=tool_call arguments_text call_type!=custom].arguments": "the arguments are what their text says",
    "**.parts[type=tool_call call_type=custom].arguments": "the arguments of a custom tool are text",
    "**.parts[type=tool_result].{is_error|name}": "a tool's answer does not say whether it failed, nor name the tool",
    "**.parts[type=tool_result !parts result:object|list|number|boolean].result": "a tool's answer is text, or parts",
    "**.parts[type=tool_result parts].result": "parts go before a value",
    "+**.parts[type=tool_result].result": "a tool's answer is text, or parts",
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
    "**.parts[type=other].data": "a part of another provider is written with its name as type",
    "+**.parts[type=other].data": "a part of another provider is written with its name as type",
    "**.parts[type=media].{sha256|size}": "media are written, and not described",
}
