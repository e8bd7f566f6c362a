"""A strict reader of the pages: it refuses what a browser would have to mend, and what could harm who reads them."""

import re
import unicodedata
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "hr", "link", "meta", "wbr"}
HARMFUL = {
    "style",
    "iframe",
    "object",
    "embed",
    "base",
    "form",
    "img",
    "math",
    "foreignobject",
    "use",
    "image",
    "animate",
    "set",
    "template",
    "link-import",
}
PHRASING_ONLY = {"p", "h1", "h2", "h3", "h4", "span", "a", "b", "bdi", "code", "em", "pre", "summary", "time", "strong"}
BLOCKS = {
    "p",
    "div",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "tr",
    "td",
    "section",
    "main",
    "header",
    "footer",
    "pre",
}
BLOCKS |= {"nav", "details", "h1", "h2", "h3", "h4", "article", "tbody", "thead", "th", "summary", "figure", "aside"}
DRAWN = {"svg", "g", "rect", "line", "path", "text"}
PARENTS = {"li": {"ul", "ol"}, "tr": {"tbody", "thead"}, "td": {"tr"}, "tbody": {"table"}, "dt": {"dl"}, "dd": {"dl"}}
PARENTS |= {
    "summary": {"details"},
    "title": {"head"},
    "figcaption": {"figure"},
    "thead": {"table"},
    "th": {"tr"},
    "head": {"html"},
    "body": {"html"},
    "main": {"body"},
}
ADDRESS = re.compile(r"https?://[^\s\"'<>]+|(\.\./)?[A-Za-z0-9_/-]*(\.(html|css|svg|js))?(#[a-z-]+)?")


@dataclass
class Page:
    """What was read: the tags in their order with the names of their attributes, links, ids, text."""

    skeleton: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    text: str = ""
    title: str = ""
    refresh: bool = False


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []
        self.refers: list[str] = []

    def handle_decl(self, decl: str) -> None:
        assert decl == "DOCTYPE html", decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice"
        assert tag not in HARMFUL, f"<{tag}>"
        if tag == "script":
            self._check_script(dict(attrs))
        else:
            assert not [n for n in names if n.startswith("on") or n in ("style", "src", "srcset")], f"<{tag} {names}>"
        self._check_place(tag)
        for name, value in attrs:
            self._note(tag, name, value or "")
        kept = [n for n in names if n != "href"]
        self.page.skeleton.append(f"<{tag} {' '.join(kept)}>")
        if tag not in VOID:
            self.open.append(tag)

    def _check_script(self, given: dict[str, str | None]) -> None:
        """The one script of pco's own, and nothing in it."""
        source = given.pop("src", "")
        assert source in ("pco.js", "../pco.js") and given == {"defer": None} and self.open == ["html", "head"]
        self.page.scripts.append(source)

    def _check_place(self, tag: str) -> None:
        parent = self.open[-1] if self.open else ""
        if "svg" in self.open:
            assert tag in DRAWN - {"svg"} or (tag == "title" and parent in DRAWN), f"<{tag}> in a picture"
            return
        assert tag not in DRAWN - {"svg"}, f"<{tag}> outside of a picture"
        assert parent in PARENTS.get(tag, {parent}), f"<{tag}> in <{parent}>"
        inside = [t for t in self.open if t in PHRASING_ONLY]
        assert not (inside and tag in BLOCKS), f"<{tag}> in {inside}"
        assert not (tag == "a" and "a" in self.open), "a link in a link"
        if parent == "noscript":
            assert tag == "meta" and self.open == ["html", "head", "noscript"], f"<{tag}> in <noscript>"
        if parent in ("ul", "ol"):
            assert tag == "li", f"<{tag}> in <{parent}>"

    def _note(self, tag: str, name: str, value: str) -> None:
        if name == "id":
            self.page.ids.append(value)
        elif name == "href":
            assert ADDRESS.fullmatch(value), f"leads to {value!r}"
            self.page.links.append(value)
        elif name == "aria-labelledby":
            self.refers.append(value)
        self.page.refresh |= tag == "meta" and (name, value) == ("http-equiv", "refresh")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> does not fit"
        self.page.skeleton.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.open[-2:] == ["head", "title"]:
            self.page.title += data
        elif self.open[-1:] == ["script"] or (self.open[-1:] == ["title"] and "svg" in self.open):
            assert self.open[-1] == "title", "words in a script"
        else:
            self.page.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


# Where a joiner has its place: between pictures, and between letters of scripts that need it.
JOINED = re.compile(
    "(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
    "|(?<=[\u0600-\u0dff])[\u200c\u200d](?=[\u0600-\u0dff])"
)


def walk(data: bytes) -> Page:
    """Read a page.  Raises AssertionError for whatever is wrong with it."""
    source = data.decode("utf-8")
    assert source.startswith("<!DOCTYPE html>\n<html ")
    seen = JOINED.sub("", source)
    bad = {c for c in seen if c != "\n" and c != "\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not bad, f"characters that nobody sees: {bad}"
    reader = _Reader()
    reader.feed(source)
    reader.close()
    page = reader.page
    assert not reader.open, f"not closed: {reader.open}"
    assert (
        page.title and sum(tag.startswith("<main ") for tag in page.skeleton) == 1 and page.skeleton.count("<h1 >") <= 1
    )
    assert len(set(page.ids)) == len(page.ids), "an id twice"
    anchors = {*(link[1:] for link in page.links if link.startswith("#")), *reader.refers}
    assert anchors <= set(page.ids), f"leads nowhere: {anchors - set(page.ids)}"
    return page
