"""All that means harm (tests/corpus.py) in every field of tickets and sessions, and what each program shows of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import corpus
import pagewalk
from pco.ground import attempt, audit
from pco.ground.text import lines
from pco.ground.ticket import Approval, Attempt, Blocked, Comment, Commit, Note, Noted, Post, State, Work
from pco.rules import comment
from support import T0, WEB, Site, a_ticket, laid_out, put

# In which state the ticket of each text is: all are taken in turn.
STATES = (*(State.PENDING, State.APPROVED, State.ACTIVE, State.COMPLETED, State.OUTBOX), State.POSTED, State.FAILED)
STATES += (State.REJECTED,)
FORMATS = {"list": ("table", "json", "jsonl", "tsv", "keys"), "show": ("table", "json"), "log": ("table", "json")}
ALLOWED = {"p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "a", "h1", "h2", "h3", "h4", "h5", "h6"}
ALLOWED |= {"blockquote", "hr", "table", "thead", "tbody", "tr", "th", "td", "s", "div", "span"}
pytestmark = pytest.mark.timeout(600)


def key(n: int) -> str:
    """Of the ticket that has the text with this number."""
    return f"WEB-{n + 1}"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A pco with a ticket for each text, which stands in all of its fields."""
    home = tmp_path_factory.mktemp("corpus")
    site = laid_out(home / "pco")
    mark = str(home / "mark")
    project = {"id": WEB, "repository": "/srv/git/web.git", "key": "WEB"}
    texts = [corpus.marked(text, mark) for text in corpus.ALL]
    # YAML has no surrogates and no control characters: what it cannot say it escapes.
    contacts = {"owner": texts[0], "feedback": texts[33]}
    site.configure(
        plane={"url": "https://plane.example.org", "workspace": "acme", "projects": [project]},
        display={"timezone": "UTC"},
        contacts=contacts,
    )
    for n, text in enumerate(texts):
        stock(site, n, text)
    yield site
    assert not Path(mark).exists(), "something ran"


def stock(site: Site, n: int, text: str) -> None:
    """The ticket of one text, its session's folder, and what the audit record has of it."""
    state = STATES[n % len(STATES)]
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
    put(site.spool(), ticket, state)
    out = attempt.folder(site.home / "sessions", key(n), 1, 1) / "out"
    out.mkdir(parents=True)
    data = text.encode("utf-8", "surrogatepass")
    (out / "screen").write_bytes(data)
    (out.parent / "screen").write_bytes(data)
    (out.parent / "prompt.md").write_bytes(data)
    audit.append(site.home / "audit", T0, text[:50], text[:100], key(n), {"from": text, "to": text, "why": text})


def harmless(said: subprocess.CompletedProcess[str]) -> str:
    """What a program said, if nothing of it could move a terminal."""
    for stream in (said.stdout, said.stderr):
        assert not corpus.unseen(stream), corpus.unseen(stream)
    assert "Traceback" not in said.stderr
    return said.stdout


@pytest.mark.parametrize("verb", FORMATS)
def test_what_pco_queue_shows_moves_no_terminal_and_is_whole_for_programs(stocked: Site, verb: str) -> None:
    for form in FORMATS[verb]:
        words = [verb, "--format", form]
        if verb == "list":
            words += [word for state in State for word in ("--state", state)]
        many = [key(n) for n in range(len(corpus.ALL))]
        for keys in [[]] if verb == "list" else [many] if verb == "show" else [[one] for one in many[::9]]:
            said = harmless(stocked.run("pco-queue", *words, *keys, code=None))
            if form == "json":
                rows = json.loads(said)
                assert verb != "list" or {row["title"] for row in rows} >= {text[:5000] for text in corpus.FORMATS}
            elif form == "jsonl":
                assert all(json.loads(line) for line in said.splitlines())
            elif form == "tsv":
                assert len({line.count("\t") for line in said.splitlines()}) == 1
            elif form == "keys":
                assert all(re.fullmatch(r"WEB-\d+", line) for line in said.splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ["pco-queue"],
        ["pco-report", "--since", "2026-11-01"],
        ["pco-report", "--since", "2026-11-01", "--format", "json"],
        ["pco-audit", "list", "--since", "2026-11-01"],
        ["pco-audit", "list", "--since", "2026-11-01", "--format", "jsonl"],
        ["pco-audit", "verify"],
        ["pco-config", "show"],
        ["pco-config", "show", "--format", "json"],
        ["pco-purge", "--search", "alert(1)"],
        ["pco-retention", "--dry-run"],
        ["pco-launch", "--dry-run"],
        ["pco-doctor", "-v"],
    ],
    ids=" ".join,
)
def test_what_other_programs_show_moves_no_terminal(stocked: Site, words: list[str]) -> None:
    said = harmless(stocked.run(words[0], *words[1:], code=None))
    if "json" in words:
        json.loads(said)


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_an_argument_that_means_harm_is_refused_in_words(stocked: Site, kind: str) -> None:
    for text in corpus.KINDS[kind][::7]:
        word = corpus.encodable(text)[:1000].replace("\0", "")
        done = stocked.run("pco-queue", "show", "--", word, code=None)
        harmless(done)
        assert done.returncode in (0, 2, 65), (word, done)


def test_the_pages_are_strict_html_and_lead_nowhere_else(stocked: Site) -> None:
    harmless(stocked.run("pco-dashboard"))

    www = stocked.home / "www"
    pages = sorted(www.rglob("*.html"))
    assert len(pages) > len(corpus.ALL) // 2
    for page in pages:
        pagewalk.walk(page.read_bytes())


def test_feeds_are_json_and_metrics_are_metrics(stocked: Site) -> None:
    stocked.run("pco-dashboard")

    www = stocked.home / "www"
    for feed in ("board.json", "health.json"):
        data = (www / feed).read_text("ascii")
        json.loads(data)
    names = {family.name for family in text_string_to_metric_families((www / "metrics.txt").read_text())}
    assert names and not [name for name in names if "evil" in name]


def test_it_is_as_many_texts_as_promised_and_no_two_are_the_same() -> None:
    assert len(corpus.ALL) >= 200
    assert len(set(corpus.ALL)) == len(corpus.ALL)
