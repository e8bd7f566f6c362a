"""All that means harm (tests/corpus.py) as names and as contents of files in the spool: read as what it is, or said."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import corpus
import inprocess
import pagewalk
from pco.ground.errors import BadData
from pco.ground.ticket import State
from pco.spool.index import Index
from pco.spool.notices import Outgoing
from support import Site, a_ticket, in_memory, laid_out, put

MARK = "/dev/shm/pco-corpus-spooled"
TEXTS = [corpus.marked(text, MARK) for text in corpus.ALL]
CONTROLS = ("pause", "short", "health", "trial", "import/WEB-1", "clean/WEB-1", "push/WEB-1", "purge/WEB-1")
FOLDERS = (
    "wake",
    "control/import",
    "control/clean",
    "control/push",
    "control/purge",
    "notify",
    "sending",
    "index",
    "tmp",
)
# What looks into all of it; each ends as programs do, and none of them is led astray by a name.
PROGRAMS: list[tuple[str, ...]] = [
    ("queue",),
    ("queue", "list", *(word for state in State for word in ("--state", state.value))),
    ("queue", "list", "--format", "json"),
    ("launch",),
    ("push",),
    ("notify",),
    ("watch", "--once", "-v"),
    ("dashboard",),
    ("retention",),
    ("report", "--since", "2026-11-01"),
    ("purge", "--search", "alert(1)"),
]


def as_bytes(text: str) -> bytes:
    """A text as a file may have it, also where it is no UTF-8."""
    return text.encode("utf-8", "surrogateescape" if "\udcff" in text else "replace")


def contents(text: str) -> list[bytes]:
    """Files that a text can be made into: by itself, as a number, as every field that any of them has."""
    names = ["by", "at", "why", "from", "reason", "seen", "told", "project", "prefix", "run", "items", "key", "state"]
    names += ["title", "round", "usd", "rev", "schema", "event", "fields", "id", "posted", "rejected", "left", text]
    raw, text = as_bytes(text), text[:300]
    word = json.dumps(text).encode()
    good = b'"key": "WEB-1", "at": "2026-11-22T12:00:00Z", "state": "posted", "title": "x", "project": "x", "usd": 0'
    lines = [b'{"posted": [' + raw + b", 1], " + good + b', "round": ' + raw + b"}"]
    for known in ({"at": "2026-11-22T12:00:00Z"}, {"from": "pending", "at": "2026-11-22T12:00:00Z"}):
        lines.append(json.dumps({**dict.fromkeys(names, text), **known}).encode())
    return [raw, word, b"[" + word + b"]", json.dumps(dict.fromkeys(names, text)).encode(), *lines]


@pytest.fixture
def site() -> Iterator[Site]:
    """Thousands of files are written there."""
    with in_memory() as folder:
        yield laid_out(folder / "pco")
    assert not Path(MARK).exists(), "something ran"


def said(site: Site, *words: str) -> inprocess.Said:
    """What a program says, which moves no terminal, and ends as programs do."""
    done = inprocess.run(site.config, *words)
    assert not corpus.unseen(done.out) and not corpus.unseen(done.err), (words, done)
    assert done.code == 0 or (done.code in (65, 69, 71, 75, 77, 78) and f"pco-{words[0]}: " in done.err), (words, done)
    return done


def test_no_content_of_a_control_file_is_more_than_words(site: Site) -> None:
    control, root = site.spool().control, site.home / "spool"
    readers: list[Callable[[], object]] = [
        *(control.paused, control.short, control.health, control.imports, control.cleanings),
        *(control.pushes, control.purges, lambda: site.spool().aside("WEB-1")),
    ]
    index = Index(root)
    for text in TEXTS:
        for data in contents(text):
            for name in CONTROLS:
                (root / "control" / name).write_bytes(data)
            (root / "corrupt" / "WEB-1.why").write_bytes(data)
            (root / "index" / "counts.json").write_bytes(data)
            (root / "index" / "2026-11.jsonl").write_bytes(data + b"\n")
            for read in readers:
                read()
            assert set(control.imports()) == {"WEB-1"} and control.paused()
            try:
                control.trial()
            except BadData as error:
                assert "control/trial" in str(error)
            assert index.count(State.POSTED) == 0
            assert list(index.latest(State.POSTED)) == [] and index.oldest(State.POSTED) is None


def test_no_content_of_a_notice_or_message_is_more_than_words(site: Site) -> None:
    root = site.home / "spool"
    said: list[str] = []
    outgoing = Outgoing(root, said.append)
    for text in TEXTS:
        for data in contents(text):
            (root / "notify" / "blocked-WEB-1.json").write_bytes(data)
            (root / "sending" / "blocked-WEB-1.taken").write_bytes(data)
            (root / "sending" / "1-1-1.json").write_bytes(data)
            assert [*outgoing.waiting(), *outgoing.taken(), *outgoing.messages()] == []
    assert len(said) == 3 * sum(len(contents(text)) for text in TEXTS)
    assert {line.partition(", ")[0] for line in said} == {
        "blocked-WEB-1.json is no notice",
        "blocked-WEB-1.taken is no notice",
        "1-1-1.json is no notice",
    }


def test_a_pause_is_shown_with_whatever_words(site: Site) -> None:
    put(site.spool(), a_ticket(), State.APPROVED)
    for text in TEXTS:
        pause = {"by": text[:1000], "at": "2026-11-22T12:00:00Z", "why": text[:3000]}
        (site.home / "spool" / "control" / "pause").write_text(json.dumps(pause))
        assert "Paused by " in said(site, "queue").out
        assert said(site, "launch").code == 0
    assert site.spool().keys(State.APPROVED) == ["WEB-1"]


def test_records_that_mean_harm_are_passed_over_or_set_aside_one_by_one(site: Site) -> None:
    root = site.home / "spool"
    for n, text in enumerate(TEXTS):
        (root / ("pending", "approved", "completed")[n % 3] / f"WEB-{n + 2}.json").write_bytes(as_bytes(text))
    put(site.spool(), a_ticket(), State.PENDING)
    for words in PROGRAMS:
        said(site, *words)
    rows = json.loads(said(site, "queue", "list", "--format", "json").out)
    assert len(rows) == len(TEXTS) + 1
    assert sum(row["state"] == "corrupt" for row in rows) == len(range(1, len(TEXTS), 3))  # those that were approved
    for page in (site.home / "www").rglob("*.html"):
        pagewalk.walk(page.read_bytes())


def test_names_that_mean_harm_are_no_ticket_no_flag_and_no_path(site: Site) -> None:
    root = site.home / "spool"
    put(site.spool(), a_ticket(), State.APPROVED)
    names = {as_bytes(text).replace(b"/", b"_").replace(b"\0", b"_")[:240] for text in TEXTS} - {b".", b".."}
    made = [
        os.fsencode(root / folder) + b"/" + name + end
        for folder in (*FOLDERS, *State)
        for name in sorted(names)
        for end in (b"", b".json", b".why", b".taken")
        if not os.path.lexists(os.fsencode(root / folder) + b"/" + name + end)
    ]
    for path in made:
        with open(path, "wb") as file:
            file.write(b"{}")
    for words in PROGRAMS:
        said(site, *words)
    control = site.spool().control
    assert not control.paused() and not control.short()
    assert {*control.imports(), *control.cleanings(), *control.pushes(), *site.spool().keys(*State)} == {
        "WEB-1",
        "WEB-01",
        "LOCAL-1",
    }
