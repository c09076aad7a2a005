"""For notebooks: summaries with plots, one event in all vendors' shapes, and progress bars. Needs the extra ``notebook``.

Nothing here starts a thread, opens a file or keeps a state.
"""

from __future__ import annotations

from llmtee.notebook._preview import Preview, preview
from llmtee.notebook._progress import Progress, progress
from llmtee.notebook._summary import Summary, summary

__all__ = ["Preview", "Progress", "Summary", "preview", "progress", "summary"]
