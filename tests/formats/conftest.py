from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REGENERATE = os.environ.get("LLMTEE_REGENERATE") == "1"
"""``LLMTEE_REGENERATE=1 pytest tests/formats`` writes the golden files anew; read the difference before you keep it."""


@pytest.fixture
def golden() -> Callable[[Path, Any], None]:
    """Compares a value with the JSON file that says what it has to be."""

    def compare(path: Path, found: Any) -> None:
        if REGENERATE:
            path.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        assert found == json.loads(path.read_text())

    return compare
