"""Tickets that have a text which means harm (tests/corpus.py) in each of their fields, in a spool of their own."""

from html import escape
from pathlib import Path

import corpus
from pco.ground import attempt, audit, spend
from pco.ground.spend import Book, Spent
from pco.ground.text import lines
from pco.ground.ticket import Approval, Attempt, Blocked, Comment, Commit, Note, Noted, Post, State, Ticket, Work
from pco.rules import comment
from support import T0, WEB, Site, a_ticket, laid_out, put

OPEN = (State.PENDING, State.APPROVED, State.ACTIVE, State.COMPLETED, State.OUTBOX, State.FAILED)
FINISHED = (State.POSTED, State.REJECTED)
PROJECT = {"id": WEB, "repository": "/srv/git/web.git", "key": "WEB"}


def key(n: int) -> str:
    """Of the ticket that has the text with this number."""
    return f"WEB-{n + 1}"


def site(home: Path, texts: list[str]) -> Site:
    """A pco without tickets, whose contacts mean harm, too."""
    made = laid_out(home)
    made.configure(
        plane={"url": "https://plane.example.org", "workspace": "acme", "projects": [PROJECT]},
        display={"timezone": "UTC"},
        contacts={"owner": texts[0], "feedback": texts[33]},
    )
    return made


def everywhere(home: Path, mark: str) -> Site:
    """A pco in which each text stands in a ticket that is open, in one that is finished, and in the report."""
    texts = [corpus.marked(text, mark) for text in corpus.ALL]
    made = site(home, texts)
    for n, text in enumerate(texts):
        stock(made, n, text, OPEN[n % len(OPEN)])
        stock(made, len(texts) + n, text, FINISHED[n % len(FINISHED)])
    made.spool().index.rebuild()
    (home / "metrics" / spend.FOLDER).mkdir()
    sessions = {spend.name_of(key(n), 1, 1): Spent(0.0, 1.0) for n in range(2 * len(texts))}
    spend.write(home / "metrics", T0.date(), Book(sessions=sessions))
    return made


def full(n: int, text: str, state: State) -> Ticket:
    """A ticket that has the text wherever a ticket has one."""
    said = Comment(f"c{n}", T0, text, text)
    begun = Attempt(1, T0, None if state is State.ACTIVE else T0, text, 1, host=text, doing=text)
    ticket = a_ticket(
        key(n),
        title=text[:5000],
        description=text,
        description_html=text,
        labels=(text[:500], "bug"),
        url=text[:500],
        notes=(Note(T0, text[:200], text),),
        noted=(Noted(T0, "comment", comment=said),),
    )
    commit = Commit("0" * 40, text[:1000], text[:200])
    ticket = ticket.with_round(
        comments=(said,),
        remark=text,
        draft=text if state is State.FAILED else "",
        summary="" if state in (State.PENDING, State.APPROVED, State.ACTIVE, State.FAILED) else text,
        approval=Approval(text[:100], T0, "0" * 64),
        attempts=(begun,),
        blocked=(Blocked(T0, None, text[:1000]),) if state is State.ACTIVE else (),
        work=Work((commit,), text, f"pco/{key(n)}", "0" * 40, "1" * 40, problem=text),
    )
    if state in (State.OUTBOX, State.POSTED):
        ticket = ticket.with_round(post=Post(f"<p>{escape(lines(text))}</p>", comment.external_id(ticket)))
    return ticket


def stock(site: Site, n: int, text: str, state: State) -> None:
    """The ticket of one text, its session's folder, and what the audit record has of it."""
    put(site.spool(), full(n, text, state), state)
    out = attempt.folder(site.home / "sessions", key(n), 1, 1) / "out"
    out.mkdir(parents=True)
    data = text.encode("utf-8", "surrogatepass")
    (out / "screen").write_bytes(data)
    (out.parent / "screen").write_bytes(data)
    (out.parent / "prompt.md").write_bytes(data)
    audit.append(site.home / "audit", T0, text[:50], text[:100], key(n), {"from": text, "to": text, "why": text})
