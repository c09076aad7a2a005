"""What providers' shapes cannot say of a model call, for ``Format.cannot``: what all share, and what many do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmtee.formats._parameters import NAMES

ALL: Mapping[str, str] = {
    **dict.fromkeys(("native", "+native"), "the provider's own record is the one that was written"),
    **dict.fromkeys(
        ("usage.raw", "+usage.raw"), "the provider's own block is the one that was written"
    ),
    "**.extra": "what another format or vendor keeps under its own name is not written",
    "+**.extra": "how it stands in this shape",
    "id": "an id that is no UUID becomes one; source_ids.record keeps it",
    "parent": "an id that is no UUID becomes one",
    "+source_ids": "an answer needs an id: the event's own stands for it",
    "+provider": "where nothing says who served it, something in the request tells",
    "template": "a request holds the finished messages, not the template",
    **dict.fromkeys(
        ("choices[].finish_reason_raw", "+choices[].finish_reason_raw"),
        "each provider has words of its own",
    ),
    "+flags": "a count that is new or gone can make the sums wrong, which is flagged",
    "[!choices !error].{usage|response_model}": "a call without an answer has no response",
}
"""What holds for every provider's format."""

ONE_CHOICE: Mapping[str, str] = {"choices[1:]": "an answer is one message: the first choice"}

SUMMARY: Mapping[str, str] = {
    "**.parts[type=reasoning].summary": "a summary is written as the thought",
    "+**.parts[type=reasoning].text": "a summary is written as the thought",
}

MADE_UP: Mapping[str, str] = {
    "**.parts[type=tool_call].synthetic_id": "an id that is written is no longer known as made up"
}

NO_NAMES: Mapping[str, str] = {
    "input[].name": "a speaker has no name",
    "choices[].message.name": "a speaker has no name",
}

PLAIN_CALLS: Mapping[str, str] = {
    "**.parts[type=tool_call call_type].call_type": "a call of another provider's own tools is written as that of a function",
}


SCHEMA_ONLY: Mapping[str, str] = {
    "parameters.response_format.json_schema.{!schema}": "a schema is asked for without name and strictness"
}

MODALITIES = tuple(
    f"{kind}_{side}" for side in ("input", "output") for kind in ("text", "audio", "image", "video")
)
PREDICTIONS = ("accepted_prediction", "rejected_prediction")
NO_COUNT = "usage has no such count"


def counts(*names: str) -> dict[str, str]:
    """The token counts that a provider's usage does not tell."""
    return {f"usage.{{{'|'.join(names)}}}": NO_COUNT}


def parameters(owner: str, *, strict: bool = False) -> dict[str, str]:
    """What others ask of their models and this provider cannot be asked.

    Args:
        owner: the name of the format.
        strict: whether the provider refuses names that nobody knows as well; others let them pass.
    """
    if strict:
        return {_keys("!", NAMES[owner]): "a request may hold the provider's own parameters only"}
    others = frozenset().union(*NAMES.values()) - NAMES[owner]
    return {_keys("", others): "the provider has no such parameter"}


def _keys(sign: str, names: Iterable[str]) -> str:
    return f"parameters.{{{sign}{'|'.join(sorted(names))}}}"
