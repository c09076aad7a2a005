"""The notebooks of the docs run from top to bottom, in a kernel of their own, and show what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pages import assert_harmless

nbformat = pytest.importorskip("nbformat")

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTEBOOKS = sorted(DOCS.glob("*.ipynb"))


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "a-year-of-logs",
        "from-honeyhive-to-roark-and-inkeep",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_as_it_is_written(path: Path) -> None:
    """Without outputs, which would differ from run to run; with a text before each part."""
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    for cell in found.cells:
        assert cell.cell_type != "code" or (cell.outputs, cell.execution_count) == ([], None)
    assert found.cells[0].source.startswith("# ")
    assert found.metadata.kernelspec.name == "python3"


def executed(path: Path, directory: Path) -> Any:
    """The notebook with its outputs."""
    out = directory / "out.ipynb"
    words = [sys.executable, Path(__file__).with_name("execute.py"), path, out, directory]
    environ = {**os.environ, "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=110, env=environ
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(out, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    for module in ("nbclient", "ipykernel", "jupyter_client", "matplotlib", "pandas"):
        pytest.importorskip(module)
    outputs = [
        output
        for cell in executed(path, tmp_path).cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    kinds = Counter(output.output_type for output in outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert kinds["error"] == 0
    pages = [
        output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})
    ]
    shown = [assert_harmless(page) for page in pages if 'class="llmtee"' in page]
    assert len(shown) >= 6
    text = "\n".join(page.text for page in shown)
    for word in ("conversation", "timeline", "summary", "preview", "kept"):
        assert word in text
