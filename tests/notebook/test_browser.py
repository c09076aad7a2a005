"""A real browser opens pages whose every text is an attack: nothing runs, nothing is fetched, nothing can be clicked."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hostile import attacks, items
from pages import TAGS, Page

import llmtee
from llmtee.fidelity import Change, Entry, Ledger
from llmtee.notebook import Progress

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--no-proxy-server", "--virtual-time-budget=3000"),
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium to open a page with")


class Listener:
    """A server that only notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.asked.append(self.path)
                self.send_error(404)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


def opened(html: str, directory: Path) -> str:
    """The document that the browser has made of a page, after its scripts have run."""
    page = directory / "page.html"
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><title>fine</title>{html}', "utf-8")
    assert BROWSER is not None
    words = [
        BROWSER,
        *FLAGS,
        f"--user-data-dir={directory / 'profile'}",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=100)
    assert "</html>" in done.stdout, done.stderr
    return done.stdout


def rendered(address: str) -> str:
    """All that llmtee shows in a notebook, of items and ledgers that are made of attacks."""
    made = items(address)
    conversation = made[-1]
    texts = attacks(address)
    entries = [Entry(text, "lost", 1, text, text) for text in texts]
    shown = [*made, conversation.timeline(), Ledger.of(entries, [Change(*texts[:3])])]
    shown += [
        llmtee.explain(conversation, "inkeep"),
        llmtee.preview(made[0]),
        llmtee.preview(conversation),
    ]
    shown.append(llmtee.summary(made))
    pages = [one._repr_html_() for one in shown]
    with Progress(3, texts[2]) as bar:
        bar.update(1)
        pages.append(bar._view()._repr_html_())
    # Opened, since what is folded is not drawn.
    return re.sub("<details(?: open)?", "<details open", "".join(pages))


def test_a_browser_executes_nothing_fetches_nothing_and_links_nowhere(
    listener: Listener, tmp_path: Path
) -> None:
    document = opened(rendered(listener.address), tmp_path)
    page = Page(re.sub("<!DOCTYPE html>", "", document))
    assert listener.asked == []
    names = {name for name, _ in page.attributes}
    assert "data-executed" not in names
    assert not [
        name for name in names if name.startswith("on") or name in ("href", "srcdoc", "style")
    ]
    assert set(page.tags) <= TAGS | {"html", "head", "body", "meta", "title"}
    assert page.tags.count("img") > 5  # the pictures and plots are there
    assert document.count("&lt;script&gt;") > 100  # and so are the texts


def test_the_same_texts_unescaped_are_executed_and_fetch(
    listener: Listener, tmp_path: Path
) -> None:
    """The check can fail."""
    # Without the one that leaves for another page, on which nothing can be looked for.
    stay = [attack for attack in attacks(listener.address) if "http-equiv" not in attack]
    document = opened("".join(stay), tmp_path)
    assert 'data-executed="yes"' in document
    assert "/a" in listener.asked
