"""Executes a notebook in a kernel: ``execute.py NOTEBOOK OUT DIRECTORY``. A program of its own, for its client leaves sockets behind."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

source, out, directory = sys.argv[1:]
# Files instead of ports, which another test may have taken meanwhile.
manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(Path(directory, "k")))
client = NotebookClient(
    nbformat.read(source, as_version=4),
    km=manager,
    timeout=100,
    resources={"metadata": {"path": directory}},
)
nbformat.write(client.execute(), out)
