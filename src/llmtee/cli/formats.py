"""``llmtee formats``: what can be read and written."""

from __future__ import annotations

from llmtee import registry
from llmtee.cli import _console as console
from llmtee.cli._options import JsonOption


def formats(as_json: JsonOption = False) -> None:
    """List what --from and --to take.

    Example: llmtee formats --json
    """
    rows = [
        {
            "name": "auto",
            "title": "tells the format of each record by its content, and says why",
            "reads": True,
            "writes": False,
        }
    ]
    for name in registry.format_names():
        form = registry.format(name)
        writes = form.encode is not None or name == "llmtee"
        rows.append({"name": name, "title": form.title, "reads": True, "writes": writes})
    for name in registry.vendor_names():
        title = f"{registry.vendor(name).title}'s own payloads"
        rows.append({"name": name, "title": title, "reads": True, "writes": True})
    if as_json:
        console.print_json(rows)
        return
    console.show(
        console.table("format", "what it is", "--from", "--to"),
        [(row["name"], row["title"], "yes", "yes" if row["writes"] else "no") for row in rows],
    )
