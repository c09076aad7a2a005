from __future__ import annotations

import pytest

from llmtee import Langfuse, LangSmith, config, registry
from llmtee.model import Step

ENVIRON = {
    "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
    "LANGFUSE_SECRET_KEY": "sk-lf-hidden",
    "LANGFUSE_HOST": "https://langfuse.example.com/",
    "LANGSMITH_API_KEY": "lsv2-hidden",
    "LANGSMITH_ENDPOINT": "https://eu.api.smith.langchain.com",
    "LANGSMITH_PROJECT": "support",
}


def test_settings_come_from_the_environment() -> None:
    langfuse = config.resolve(Langfuse(), environ=ENVIRON)
    assert (langfuse.public_key, langfuse.base_url) == ("pk-lf-1", "https://langfuse.example.com")
    langsmith = config.resolve(LangSmith(), environ=ENVIRON)
    assert (langsmith.project, langsmith.base_url) == ("support", ENVIRON["LANGSMITH_ENDPOINT"])
    assert "hidden" not in f"{langfuse!r} {langsmith!r}"


@pytest.mark.parametrize("settings", [Langfuse(), LangSmith()])
def test_nothing_is_written_to_what_is_only_read(settings) -> None:
    source = registry.source(settings)
    rendered = source.render(Step(name="a step"), settings)
    assert rendered.body is None
    assert rendered.skip == f"llmtee only reads {source.title}"
    assert settings.vendor not in registry.vendor_names()
