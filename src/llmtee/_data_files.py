"""Finds the schemas and fixtures: inside the installed package, or beside ``src`` in a checkout."""

from __future__ import annotations

from pathlib import Path


def data_dir(kind: str) -> Path:
    """The folder ``schemas`` or ``fixtures``."""
    here = Path(__file__).resolve().parent
    packaged = here / "_data" / kind
    return packaged if packaged.is_dir() else here.parents[1] / kind
