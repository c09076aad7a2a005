"""The pictures of docs/images: views as a notebook shows them, photographed by Chromium, in light and in dark.

    python tools/pictures.py [--out DIRECTORY]

Needs Chromium and the extras ``notebook`` and ``frames``. What is shown comes from the notebook of a year of logs and
from a session of agents that is told below, so the same pictures come out wherever the same fonts are.
"""

# ruff: noqa: INP001, S603 - a script, not part of a package; it starts the browser that it finds

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

import llmtee
from llmtee.model import (
    Agent,
    Choice,
    ErrorInfo,
    Message,
    ModelCall,
    Person,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolRun,
    Usage,
)

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 150_000
"""Bytes of one picture."""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1.5"),
)
PAGE = {"light": "#ffffff", "dark": "#0e1116"}


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────


def year_of_logs() -> dict[str, Any]:
    """The variables of the notebook when all its cells have run."""
    notebook = json.loads((ROOT / "docs" / "a-year-of-logs.ipynb").read_text("utf-8"))
    namespace: dict[str, Any] = {"__name__": "notebook"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            with contextlib.redirect_stderr(io.StringIO()):
                exec("".join(cell["source"]), namespace)  # noqa: S102 - it is ours
    return namespace


def agents_at_work() -> llmtee.Conversation:
    """A session in which an agent sends three others to look things up, side by side."""
    start = dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.UTC)
    person, lead = Person(id="ada@example.com"), Agent(name="writer", version="v4")
    history = [_said("system", "You write market notes. Let others look things up.")]

    def span(begin: float, end: float) -> dict[str, Any]:
        times = (start + dt.timedelta(seconds=second) for second in (begin, end))
        return {
            "session": "market note",
            **dict(zip(("started_at", "ended_at"), times, strict=True)),
        }

    def call(
        begin: float, end: float, told: list[Message], answer: Message, **more: Any
    ) -> ModelCall:
        used = Usage(input_tokens=140 * len(told), output_tokens=90)
        who = {"agent": lead, "person": person, "model": "gpt-4o", **more}
        chosen = (Choice(message=answer, finish_reason="stop"),)
        return ModelCall(input=tuple(told), choices=chosen, usage=used, **span(begin, end), **who)

    def events() -> Iterator[ModelCall | ToolRun]:
        history.append(
            _said("user", "How did battery prices develop this year? Half a page, with sources.")
        )
        topics = ("prices", "supply", "demand")
        asked = tuple(
            ToolCallPart(id=f"call-{topic}", name="research", arguments={"topic": topic})
            for topic in topics
        )
        plan = Message(
            role="assistant", parts=(TextPart(text="I have three things looked up."), *asked)
        )
        yield call(0, 2.4, history, plan)
        history.append(plan)
        for place, topic in enumerate(topics):
            run = ToolRun(
                id=f"run-{topic}",
                name="research",
                call_id=f"call-{topic}",
                arguments={"topic": topic},
                **span(2.5, 9.5 + place),
            )
            yield run
            scout = Agent(name=f"scout {topic}")
            task = [_said("system", "You research."), _said("user", f"Find figures on {topic}.")]
            more = {"agent": scout, "parent": run.id, "model": "gpt-4o-mini"}
            yield call(
                2.7 + place / 3,
                5 + place,
                task,
                _said("assistant", "Two sources look good."),
                **more,
            )
            task += [_said("assistant", "Two sources look good."), _said("user", "Compare them.")]
            yield call(
                5.8 + place,
                9.3 + place,
                task,
                _said("assistant", f"The figures on {topic}."),
                **more,
            )
            history.append(
                Message(
                    role="tool",
                    parts=(
                        ToolResultPart(call_id=f"call-{topic}", result=f"Figures on {topic}: …"),
                    ),
                )
            )
        yield call(
            11.7,
            16,
            history,
            note := _said(
                "assistant",
                "Prices of battery packs fell by a fifth. Supply grew faster than demand, mostly in grid storage …",
            ),
        )
        history.extend([note, _said("user", "Make it shorter, and save it.")])
        save = Message(
            role="assistant",
            parts=(ToolCallPart(id="call-save", name="save", arguments={"name": "note.md"}),),
        )
        yield call(190, 192, history, save)
        history.append(save)
        failed = ErrorInfo(type="PermissionError", message="note.md is read-only")
        yield ToolRun(name="save", call_id="call-save", error=failed, **span(192.1, 192.9))
        history.append(
            Message(
                role="tool",
                parts=(
                    ToolResultPart(
                        call_id="call-save", result="note.md is read-only", is_error=True
                    ),
                ),
            )
        )
        yield call(
            193,
            195.5,
            history,
            _said("assistant", "The shorter note is below; the file could not be written."),
        )

    [conversation] = llmtee.assemble(events())
    return conversation


def _said(role: str, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text=text),))


def views() -> Iterator[tuple[str, str, int, tuple[str, ...]]]:
    """Name, markup, height in pixels at most, and in which schemes."""
    year = year_of_logs()
    agents = agents_at_work()
    yield "conversation", year["longest"]._repr_html_(), 560, ("light", "dark")
    yield "timeline", agents.timeline()._repr_html_(), 460, ("light", "dark")
    yield "summary", year["whole"]._repr_html_(), 1150, ("light", "dark")
    yield "preview", llmtee.preview(year["events"][1])._repr_html_(), 640, ("light",)
    yield "ledger", llmtee.explain(agents, "roark")._repr_html_(), 520, ("dark",)


# ── photographs ─────────────────────────────────────────────────────────────────────────────────────────────────


def photograph(markup: str, scheme: str, height: int, width: int = 1100) -> Image.Image:
    """What Chromium draws of a view, without the empty page below it."""
    browser = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if browser is None:
        sys.exit("there is no Chromium to take pictures with")
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder, "page.html"), Path(folder, "picture.png")
        colour = PAGE[scheme]
        page.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><body style="background:{colour}">{markup}',
            "utf-8",
        )
        words = [
            browser,
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
        ]
        words += [
            f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
            f"--screenshot={picture}",
        ]
        subprocess.run([*words, page.as_uri()], check=True, capture_output=True, timeout=60)
        with Image.open(picture) as found:
            return _cropped(found.convert("RGB"))


def _cropped(picture: Image.Image) -> Image.Image:
    from PIL import ImageChops  # noqa: PLC0415

    empty = Image.new("RGB", picture.size, picture.getpixel((0, 0)))
    box = ImageChops.difference(picture, empty).getbbox()
    if box is None:
        raise SystemExit("the page is empty")
    return picture.crop((0, 0, picture.width, min(picture.height, box[3] + 12)))


def kept(picture: Image.Image, path: Path) -> int:
    """Writes the picture with as many colours as fit; returns its bytes."""
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if len(out.getvalue()) <= LARGEST:
            path.write_bytes(out.getvalue())
            return len(out.getvalue())
    raise SystemExit(f"{path.name} is too large, even with few colours")


def main() -> None:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name, markup, height, schemes in views():
        for scheme in schemes:
            path = folder / f"{name}-{scheme}.png"
            size = kept(photograph(markup, scheme, height), path)
            sys.stdout.write(f"{path.name}: {size:,} bytes\n")


if __name__ == "__main__":
    main()
