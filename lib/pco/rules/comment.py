"""The comment that goes to Plane: the summary, which is Markdown, in the form that `post.template` names.

All of it is harmless by construction (`rules.markdown`), clean of control and bidi characters, and bounded.
"""

import re
from collections.abc import Callable, Sequence
from html import escape

from pco.ground import text
from pco.ground.config import Project
from pco.ground.errors import BadData
from pco.ground.ticket import Ticket, Work
from pco.rules import form as forms
from pco.rules import markdown, pushing
from pco.rules.budget import usd
from pco.rules.form import Form

SOURCE = "pco"  # external_source of all that pco writes
MOST_BYTES = 64 << 10  # of HTML; Plane takes more, people do not
MOST_LISTED = 20  # commits, or files
WIDTH = 120  # columns of one value
CUT = "<p><em>[cut here: the summary is longer; pco has the whole of it]</em></p>\n"
# What a form may name, besides $summary.  pco-post(1) explains them; a test compares.
LISTED = ("commits", "diffstat")
KNOWN: tuple[str, ...] = ("key", "title", "round", "repository", "base", "branch", "work", "commits", "changed")
KNOWN += ("diffstat", "left", "compare", "cost", "written_by", "approved_by", "accepted_by")
_TAG = re.compile(r"<[^>]*>")  # of our own HTML, where > is escaped everywhere else
_TOTALS = re.compile(r"[0-9]+ files? changed.*")


def external_id(ticket: Ticket) -> str:
    """The name under which Plane takes this round's comment once and no second time.

    A round that began after its ticket came back from a backup may have the number of one that the lost machine had:
    it is another round, and has another name.
    """
    name = f"{ticket.key}:{ticket.round.n}:{ticket.id}"
    before = [at for at in ticket.restored if at < ticket.round.trigger.at]
    return f"{name}:{max(before):%Y%m%dT%H%M%SZ}" if before else name


def body(
    form: Form,
    ticket: Ticket,
    summary: str,
    project: Project | None,
    accepted_by: str = "",
    hide: Callable[[str], str] = str,
) -> str:
    """The HTML of the comment; `hide` takes out of every text what must not be in one.

    Raises BadData if nothing that a reader could see is in the summary, BadConfig if the form is wrong.
    """
    said = {name: hide(words) for name, words in values(ticket, project, accepted_by).items()}
    before, after = forms.filled(form, said, LISTED)
    room = MOST_BYTES - len((before + after).encode()) - len(CUT)
    shown = text.lines(_summary(hide(summary), room))
    if not _TAG.sub("", shown).strip():
        raise BadData("the summary is empty")
    return text.lines(before + shown + after).strip()  # as Plane does


def check(form: Form) -> None:
    """Raise BadConfig, with file and line, if the form is wrong."""
    forms.check(form, KNOWN, LISTED)


def values(ticket: Ticket, project: Project | None, accepted_by: str) -> dict[str, str]:
    """What the variables of a form are for this round: text of one line, or of several; empty where there is none."""
    current = ticket.round
    work = current.work or Work()
    files, totals = _diffstat(work)
    commits = [text.line(f"{commit.id[:10]} {text.line(commit.subject)}", WIDTH) for commit in work.commits]
    left = text.count(work.uncommitted, "uncommitted change") if work.uncommitted else ""
    count = f"{text.count(len(commits), 'commit')} on {text.line(work.branch, WIDTH)}" if commits else "no commits"
    said = {
        "key": ticket.key,
        "title": text.line(ticket.title, WIDTH),
        "round": str(current.n),
        "repository": text.line(re.sub(r"//[^/@\s]*@", "//", project.repository), WIDTH) if project else "",
        "base": project.branch if project else "",
        "branch": text.line(work.branch, WIDTH) if commits else "",
        "work": "; ".join([count, *([totals] if totals else [])]) if current.work else "",
        "commits": "\n".join(_first(commits)),
        "changed": totals,
        "diffstat": "\n".join([*_first(files), *([totals] if totals else [])]),
        "left": f"{left} left behind" if left else "",
        "compare": pushing.compare(current.work, project),
        "cost": usd(current.cost.usd) if current.cost.usd else "",
        "written_by": text.line(current.summary_by, 64),
        "approved_by": text.line(current.approval.by, 64) if current.approval else "",
        "accepted_by": text.line(accepted_by, 64),
    }
    assert tuple(said) == KNOWN
    return said


def _diffstat(work: Work) -> tuple[list[str], str]:
    """The lines of the files that changed, and the one with the totals."""
    rows = [text.lines(row).removeprefix(" ")[:WIDTH].rstrip() for row in work.diffstat.split("\n") if row.strip()]
    totals = next((row for row in reversed(rows) if _TOTALS.fullmatch(row)), "")
    return [row for row in rows if " | " in row], totals


def _first(rows: Sequence[str]) -> list[str]:
    more = len(rows) - MOST_LISTED
    return [*rows[:MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]


def _summary(summary: str, most: int) -> str:
    """The summary as at most `most` bytes of HTML, and a mark where it was cut."""
    source = text.lines(summary)
    cut = len(source) > MOST_BYTES
    parts: list[str] = []
    for block, raw in markdown.blocks(source[:MOST_BYTES]):
        size = len(block.encode())
        if size > most:
            parts.append(_verbatim(raw, most))
            cut = True
            break
        parts.append(block)
        most -= size
    return "".join(parts) + (CUT if cut else "")


def _verbatim(raw: str, most: int) -> str:
    """As much of a block as fits, not as markup: what is cut in the middle of a table is no table."""
    room = most - len("<pre></pre>\n")
    kept = escape(raw.encode()[: max(room, 0)].decode(errors="ignore"))
    while len(kept.encode()) > room > 0:
        raw = raw[: len(raw) * 9 // 10]
        kept = escape(raw)
    return f"<pre>{kept}</pre>\n" if kept and room > 0 else ""
