"""Converts a large file of OpenAI records to each vendor, with 1 and 2 workers, beside a loop that does JSON alone.

    python benchmarks/convert.py                 # 2 GB; takes long
    python benchmarks/convert.py --size 20MB     # to try it

Each conversion runs in a process of its own. Every broken line has to be reported by its number, and everything else to
be done, or the run fails. Compare by ratio, within one run: the machine is never the same twice.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import make_records

VENDORS = ("voker", "honeyhive", "inkeep", "roark")
_EVERY = 0.05
"""Seconds between two looks at the memory."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table, or one JSON object."""
    options = _options(arguments)
    if options.one:
        print(json.dumps(measured(**json.loads(options.one))))
        return
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        source = Path(folder, "records.jsonl")
        manifest = make_records.write(source, options.size, broken=options.broken)
        if not options.json:
            size = f"{manifest['bytes'] / 1e6:,.0f} MB, {manifest['records']:,} records"
            print(f"{size}, {manifest['sessions']:,} sessions, {options.broken} broken lines\n")
            print(f"{'':12}{'workers':>8}{'MB/s':>8}{'MB/s/core':>11}{'CPU s':>8}{'peak MB':>9}")
        rows = [_row({"what": "json"}, source, manifest, as_json=options.json)]
        for vendor in options.to.split(","):
            for workers in map(int, options.workers.split(",")):
                order = {"what": vendor, "workers": workers, "folder": folder}
                rows.append(_row(order, source, manifest, as_json=options.json))
        if options.json:
            del manifest["path"]
            print(json.dumps({"input": manifest, "rows": rows}))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=make_records.size_of, default=2 * 10**9)
    parser.add_argument("--broken", type=int, default=100, help="broken lines")
    parser.add_argument("--to", default=",".join(VENDORS), help="vendors")
    parser.add_argument("--workers", default="1,2", help="numbers of processes")
    parser.add_argument("--dir", type=Path, help="where files may be large")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _row(
    order: dict[str, Any], source: Path, manifest: dict[str, Any], *, as_json: bool
) -> dict[str, Any]:
    words = [sys.executable, __file__, "--one", json.dumps({**order, "source": str(source)})]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    broken = [one["line"] for one in manifest["broken"]]
    if order["what"] != "json" and (found["lines"], found["read"]) != (broken, manifest["records"]):
        missing = sorted(set(broken) ^ set(found["lines"]))
        raise SystemExit(
            f"{order}: lines {missing} were not told as they are; {found['read']} read"
        )
    found.pop("lines", None)
    size = manifest["bytes"] / 1e6
    found |= {
        "MB/s": size / found["seconds"],
        "MB/s/core": size / found["CPU s"],
    }
    if not as_json:
        print(
            f"{order['what']:12}{order.get('workers', 1):>8}{found['MB/s']:>8.1f}"
            f"{found['MB/s/core']:>11.1f}{found['CPU s']:>8.1f}{found['peak MB']:>9.0f}",
            flush=True,
        )
    return {**order, **found}


def measured(what: str, source: str, workers: int = 1, folder: str = "") -> dict[str, Any]:
    """Figures of one run in this process: seconds, CPU seconds and peak memory of it and of its workers.

    Args:
        what: a vendor, or ``json``.
        source: path of the records.
        workers: processes.
        folder: for the output, which is removed.
    """
    peak = _Peak()
    began, used = time.perf_counter(), _cpu()
    found = _bare(source) if what == "json" else _converted(what, source, workers, folder)
    found |= {"seconds": time.perf_counter() - began, "CPU s": _cpu() - used}
    return {**found, "peak MB": peak.end() / 1e6}


def _converted(vendor: str, source: str, workers: int, folder: str) -> dict[str, Any]:
    import llmtee  # noqa: PLC0415 - the other way does without

    out, side = Path(folder, f"{vendor}.jsonl"), Path(folder, "errors.jsonl")
    report = llmtee.convert(
        source, out, target=vendor, source="openai-chat", workers=workers, errors=side, on_error=str
    )
    lines = [json.loads(line)["line"] for line in side.read_text("utf-8").splitlines()]
    found = {"read": report.read, "written": report.written, "bytes": out.stat().st_size}
    out.unlink()
    return {**found, "lines": lines}


def _bare(source: str) -> dict[str, Any]:
    """What any conversion in Python costs at least: the standard library reads each line and writes it."""
    good = 0
    with open(source, "rb") as file, open(os.devnull, "wb") as out:  # noqa: PTH123
        for line in file:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            out.write(json.dumps(value).encode() + b"\n")
            good += 1
    return {"read": good}


def _cpu() -> float:
    """Seconds of this process and of those that it has ended."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


class _Peak:
    """Looks now and then how much memory this process and its children hold together."""

    def __init__(self) -> None:
        self._most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Bytes, at most."""
        self._ended.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        own = os.getpid()
        while True:
            children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
            held = sum(_resident(process) for process in (own, *children))
            self._most = max(self._most, held)
            if self._ended.wait(_EVERY):
                return


def _resident(process: int | str) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):  # it has just ended
        return 0
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
