"""All that means harm (tests/corpus.py) in every field of tickets and sessions, and what each program shows of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import corpus
import pagewalk
from pco.ground.ticket import State
from stocked import FINISHED, OPEN, key, stock
from stocked import site as stocked_site
from support import Site

# In which state the ticket of each text is: all are taken in turn.
STATES = (*OPEN, *FINISHED)
FORMATS = {"list": ("table", "json", "jsonl", "tsv", "keys"), "show": ("table", "json"), "log": ("table", "json")}
SAYS = {0, 1, 65, 69, 71, 75, 77, 78}
ALLOWED = {"p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "a", "h1", "h2", "h3", "h4", "h5", "h6"}
ALLOWED |= {"blockquote", "hr", "table", "thead", "tbody", "tr", "th", "td", "s", "div", "span"}
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A pco with a ticket for each text, which stands in all of its fields."""
    home = tmp_path_factory.mktemp("corpus")
    mark = str(home / "mark")
    texts = [corpus.marked(text, mark) for text in corpus.ALL]
    site = stocked_site(home / "pco", texts)
    for n, text in enumerate(texts):
        stock(site, n, text, STATES[n % len(STATES)])
    yield site
    assert not Path(mark).exists(), "something ran"


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
            said = harmless(stocked.run("pco-queue", *words, *keys))
            assert said.strip()
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
    done = stocked.run(words[0], *words[1:], code=None)
    said = harmless(done)
    assert (said + done.stderr).strip() and done.returncode in SAYS, done
    if "json" in words:
        json.loads(said)


@pytest.mark.parametrize("kind", corpus.KINDS)
def test_an_argument_that_means_harm_is_refused_in_words(stocked: Site, kind: str) -> None:
    for text in corpus.KINDS[kind][:: 1 if kind == "keys" else 7]:
        word = corpus.encodable(text)[:1000].replace("\0", "")
        done = stocked.run("pco-queue", "show", "--", word, code=None)
        said = harmless(done)
        assert done.returncode in (0, 2, 65), (word, done)
        assert (said + done.stderr).strip(), word


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
