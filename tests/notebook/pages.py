"""A page as a browser reads it, and what a view may be made of, said here once more and by hand."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"base", "br", "hr", "img", "input", "link", "meta", "source", "wbr"})
TAGS = frozenset(
    {
        *(
            "div",
            "style",
            "span",
            "p",
            "h4",
            "b",
            "code",
            "pre",
            "details",
            "summary",
            "wbr",
            "img",
        ),
        *("table", "thead", "tbody", "tr", "th", "td", "progress"),
        *("svg", "g", "rect", "circle", "line", "text", "title"),
    }
)
ATTRIBUTES = frozenset(
    {
        *("class", "dir", "open", "title", "src", "alt", "role", "aria-label", "value", "max"),
        *("viewbox", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx"),
        "text-anchor",
    }
)
PICTURES = ("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/gif;base64,")


class Page(HTMLParser):
    """Elements, attributes and text of markup that closes all that it opens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.styles: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self.open[-1:] == ["style"] else self.said).append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a section: {data}")

    @property
    def text(self) -> str:
        return "".join(self.said)


def assert_harmless(html: str) -> Page:
    page = Page(html)
    assert set(page.tags) <= TAGS
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    for name, value in page.attributes:
        assert name != "src" or str(value).startswith(PICTURES), value
    assert len(set(page.styles)) <= 1
    return page
