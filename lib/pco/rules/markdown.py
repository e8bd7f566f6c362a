"""Markdown made HTML that is harmless by construction, whoever wrote it.

Plane stores comment HTML verbatim and shows it to everybody, so nothing gets in but what is made here: raw HTML comes
out as text, links lead to http, https or mailto, no picture is loaded.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

SCHEMES = ("http://", "https://", "mailto:")
Same = Callable[[str], str]


def _as_it_is(words: str) -> str:
    return words


def html(source: str, filled: Same = _as_it_is, linked: Same = _as_it_is) -> str:
    """The HTML of a text.

    `filled` is called with each piece of text once all markup was understood, `linked` with each address: whatever they
    put in is text, or an address, and never markup.
    """
    return "".join(block for block, _ in blocks(source, filled, linked))


def blocks(source: str, filled: Same = _as_it_is, linked: Same = _as_it_is) -> Iterator[tuple[str, str]]:
    """The HTML of each outermost block, and the Markdown it was made of."""
    parser = _parser()
    # All kinds of links ask this while `parse` runs, with the address already percent-encoded.
    parser.validateLink = _judge(linked)  # type: ignore[assignment, method-assign]
    lines, block = source.split("\n"), []
    for token in parser.parse(source):
        for inner in (token, *(token.children or ())):
            _fill(inner, filled, linked)
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            first, end = block[0].map or (0, 0)
            yield parser.renderer.render(block, parser.options, {}), "\n".join(lines[first:end])
            block = []


@cache
def _parser() -> "MarkdownIt":
    """CommonMark with tables and strikethrough, without raw HTML and without pictures (they become links)."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def _judge(linked: Same) -> Callable[[str], bool]:
    """Whether a link may be one; without an address it is a link that leads nowhere."""
    return lambda address: _harmless(linked(address)) or not linked(address)


def _harmless(address: str) -> bool:
    """Whether a link may lead there: a relative one would lead into Plane itself."""
    return address.lower().startswith(SCHEMES)


def _fill(token: "Token", filled: Same, linked: Same) -> None:
    token.content, token.info = filled(token.content), filled(token.info)
    if "title" in token.attrs:
        token.attrSet("title", filled(str(token.attrs["title"])))
    if token.type == "link_open":
        token.attrSet("rel", "noopener noreferrer nofollow")
        token.attrSet("href", linked(str(token.attrs.get("href", ""))))
        if not _harmless(str(token.attrs["href"])):
            token.attrs.pop("href")  # `[x]()` leads nowhere, and nobody was asked about it
