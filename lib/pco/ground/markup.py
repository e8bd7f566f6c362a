"""HTML as Plane stores it, made plain text: what a person reads, and what the agent gets."""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    ["p", "div", "ul", "ol", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "section"]
)
_SILENT = frozenset(["script", "style", "template", "title"])


class _Plain(HTMLParser):
    """Collects the text of HTML: blocks become lines, list items get a dash, links keep their address."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.silent = 0
        self.verbatim = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        elif tag == "li":
            self.out.append("\n- ")
        elif tag == "br":
            self.out.append("\n")
        elif tag in ("td", "th"):
            self.out.append("\t")
        elif tag in _BLOCKS:
            self.out.append("\n\n")
        if tag == "pre":
            self.verbatim += 1
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
        if tag == "img":
            self.out.append(f"[image {dict(attrs).get('alt') or dict(attrs).get('src') or ''}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(self.silent - 1, 0)
        elif tag in _BLOCKS:
            self.out.append("\n\n")
        if tag == "pre":
            self.verbatim = max(self.verbatim - 1, 0)
        if tag == "a" and self.links:
            address = self.links.pop()
            if address and not "".join(self.out[-3:]).endswith(address):
                self.out.append(f" <{address}>")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.out.append(data if self.verbatim else re.sub(r"[ \t\r\n\f]+", " ", data))


def plain(html: str) -> str:
    """The text of an HTML fragment, blocks as lines; hostile markup comes out as text, never as markup."""
    parser = _Plain()
    parser.feed(html)
    parser.close()
    text = "".join(parser.out).replace("\r", "")
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n +(?=[^ \n])", "\n", text) if "<pre" not in html.lower() else text
    return re.sub(r"\n{3,}", "\n\n", text).strip()
