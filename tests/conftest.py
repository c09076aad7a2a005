from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A change is judged by the same examples every time; `make test-all` goes looking for new ones.
settings.register_profile("same", deadline=None, max_examples=60, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the keys, the settings or the event log of whoever runs it, and none can reach a real vendor."""
    for name in list(os.environ):
        if name.startswith(("LLMTEE_", "VOKER_", "HH_", "HONEYHIVE_", "INKEEP", "ROARK_", "OTEL_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("LLMTEE_DIR", str(home / "log"))
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
