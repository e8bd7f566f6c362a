"""The comment that goes to Plane: an agent's Markdown made HTML that is harmless by construction.

Plane stores comment HTML verbatim and shows it to everybody, so nothing gets in but what is made here: raw HTML comes
out as text, links lead to http, https or mailto, no picture is loaded, control and bidi characters are dropped.
"""

import re
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from pco.ground import text
from pco.ground.errors import BadData
from pco.ground.ticket import Ticket, Work

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

SOURCE = "pco"  # external_source of all that pco writes
MOST_BYTES = 64 << 10  # of HTML; Plane takes more, people do not
MOST_COMMITS = 20
CUT = "<p><em>[cut here: the summary is longer; pco has the whole of it]</em></p>\n"
SCHEMES = ("http://", "https://", "mailto:")
_TAG = re.compile(r"<[^>]*>")  # of our own HTML, where > is escaped everywhere else


def external_id(ticket: Ticket) -> str:
    """The name under which Plane takes this round's comment once and no second time."""
    return f"{ticket.key}:{ticket.round.n}:{ticket.id}"


def body(ticket: Ticket, summary: str) -> str:
    """The HTML of the comment: the summary, which is Markdown, and below it where it comes from.

    Raises BadData if nothing that a reader could see is in the summary.
    """
    footer = _footer(ticket)
    shown = text.lines(_summary(summary, MOST_BYTES - len(footer.encode()) - len(CUT)))
    if not _TAG.sub("", shown).strip():
        raise BadData("the summary is empty")
    return (shown + footer).strip()  # as Plane does


def _summary(summary: str, most: int) -> str:
    """The summary as at most `most` bytes of HTML, and a mark where it was cut."""
    source = text.lines(summary)
    cut = len(source) > MOST_BYTES
    parts: list[str] = []
    for block, raw in _blocks(source[:MOST_BYTES]):
        size = len(block.encode())
        if size > most:
            parts.append(_verbatim(raw, most))
            cut = True
            break
        parts.append(block)
        most -= size
    return "".join(parts) + (CUT if cut else "")


def _blocks(source: str) -> Iterator[tuple[str, str]]:
    """The HTML of each outermost block, and the Markdown it was made of."""
    parser = _parser()
    lines, block = source.split("\n"), []
    for token in parser.parse(source):
        _mark_links(token)
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            first, end = block[0].map or (0, 0)
            yield parser.renderer.render(block, parser.options, {}), "\n".join(lines[first:end])
            block = []


def _verbatim(raw: str, most: int) -> str:
    """As much of a block as fits, not as markup: what is cut in the middle of a table is no table."""
    room = most - len("<pre></pre>\n")
    kept = escape(raw.encode()[: max(room, 0)].decode(errors="ignore"))
    while len(kept.encode()) > room > 0:
        raw = raw[: len(raw) * 9 // 10]
        kept = escape(raw)
    return f"<pre>{kept}</pre>\n" if kept and room > 0 else ""


@cache
def _parser() -> "MarkdownIt":
    """CommonMark with tables and strikethrough, without raw HTML and without pictures (they become links)."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    # All kinds of links ask this, with the address already percent-encoded.
    parser.validateLink = _harmless  # type: ignore[assignment, method-assign]
    return parser


def _harmless(address: str) -> bool:
    """Whether a link may lead there: a relative one would lead into Plane itself."""
    return address.lower().startswith(SCHEMES)


def _mark_links(token: "Token") -> None:
    for inner in token.children or []:
        if inner.type == "link_open":
            inner.attrSet("rel", "noopener noreferrer nofollow")
            if not _harmless(str(inner.attrs.get("href", ""))):
                inner.attrs.pop("href", None)  # `[x]()` leads nowhere, and nobody was asked about it


def _footer(ticket: Ticket) -> str:
    """Who wrote this, and what it left in the repository."""
    work = ticket.round.work
    said = [f"Posted by pco: {ticket.key}, round {ticket.round.n}", *(_work(work) if work else [])]
    commits = work.commits if work else ()
    shown = [f"<li><code>{_clean(c.id[:10])}</code> {_clean(c.subject)}</li>" for c in commits[:MOST_COMMITS]]
    if len(commits) > MOST_COMMITS:
        shown.append(f"<li>and {len(commits) - MOST_COMMITS} more</li>")
    listed = f"<ul>{''.join(shown)}</ul>\n" if shown else ""
    return f"<hr />\n<p><small>{'; '.join(said)}.</small></p>\n{listed}"


def _work(work: Work) -> Iterator[str]:
    if not work.commits:
        yield "no commits"
    else:
        yield f"{len(work.commits)} commit{'s' if len(work.commits) > 1 else ''} on {_clean(work.branch)}"
    if totals := work.diffstat.strip().rpartition("\n")[2]:
        yield _clean(totals.strip())
    if work.uncommitted:
        yield f"{work.uncommitted} uncommitted change{'s' if work.uncommitted > 1 else ''} left behind"


def _clean(words: str) -> str:
    return escape(text.line(words, 120))
