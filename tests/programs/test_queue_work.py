"""pco-queue diff and fetch: what a session committed, for a person to look at."""

import getpass
import json
import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from pco.ground.ticket import Attempt, Commit, State, Work
from programs.queueing import Desk
from support import T0, WEB

IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@x"}


def git(folder, *args):
    """Run git in a folder; returns what it printed."""
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", **IDENTITY}
    done = subprocess.run(["git", "-C", folder, *args], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def desk(site, tmp_path):
    """A desk, an upstream checkout, and a mirror in which pco/WEB-1 has a commit."""
    desk = Desk(site)
    desk.upstream = tmp_path / "upstream"
    desk.upstream.mkdir()
    git(desk.upstream, "init", "-q", "-b", "main")
    (desk.upstream / "a.txt").write_text("one\n")
    git(desk.upstream, "add", ".")
    git(desk.upstream, "commit", "-q", "-m", "first")
    desk.mirror = site.home / "mirrors" / f"{WEB}.git"
    git(tmp_path, "clone", "-q", "--bare", str(desk.upstream), str(desk.mirror))
    base = git(desk.upstream, "rev-parse", "HEAD")
    git(desk.upstream, "checkout", "-q", "-b", "pco/WEB-1")
    (desk.upstream / "a.txt").write_text("two \x1b]0;x\x07\n")
    git(desk.upstream, "commit", "-q", "-a", "-m", "second")
    tip = git(desk.upstream, "rev-parse", "HEAD")
    git(desk.upstream, "push", "-q", str(desk.mirror), "pco/WEB-1")
    git(desk.upstream, "checkout", "-q", "main")
    git(desk.upstream, "branch", "-q", "-D", "pco/WEB-1")
    work = Work((Commit(tip, "second"),), " a.txt | 2 +-", "pco/WEB-1", base, tip)
    desk.has("WEB-1", State.COMPLETED, summary="x", work=work)
    return desk


def test_diff_shows_the_changes_filtered(desk):
    said = desk.run("diff", "WEB-1").stdout
    assert "WEB-1: 1 commit on pco/WEB-1" in said
    assert "-one\n+two ]0;x\n" in said
    assert "\x1b" not in said
    assert "\x1b[32m+two" in desk.run("diff", "WEB-1", "--color", "always").stdout
    assert "1 file changed" in desk.run("diff", "WEB-1", "--stat").stdout


def test_fetch_brings_the_branch_and_says_what_next(desk):
    lines = desk.out("fetch", "WEB-1", str(desk.upstream))
    assert lines[0] == f"WEB-1: fetched as pco/WEB-1 into {desk.upstream}"
    assert lines[1].startswith("Next: git -C ")
    assert git(desk.upstream, "log", "--format=%s", "main..pco/WEB-1") == "second"
    assert git(desk.upstream, "branch", "--show-current") == "main"
    assert desk.out("fetch", "WEB-1", cwd=desk.upstream)[1].startswith("Next: git log")


def test_fetch_is_recorded_with_who_and_which_commit_and_audited_each_time(desk):
    tip = desk.spool.read("WEB-1").round.work.tip

    desk.run("fetch", "WEB-1", str(desk.upstream))

    first = desk.spool.read("WEB-1").round.work.fetched
    assert (first.commit, first.by) == (tip, getpass.getuser())
    desk.run("fetch", "WEB-1", str(desk.upstream))
    assert desk.spool.read("WEB-1").round.work.fetched == first
    audited = [json.loads(line) for line in next((desk.site.home / "audit").glob("*.jsonl")).read_text().splitlines()]
    assert [(one["event"], one["by"], one["fields"]) for one in audited] == [
        ("fetched", getpass.getuser(), {"branch": "pco/WEB-1", "commit": tip})
    ] * 2
    assert f"fetched     by {getpass.getuser()}" in desk.run("show", "WEB-1").stdout


def test_fetch_covers_earlier_rounds_whose_commits_it_brings_and_no_others(desk):
    ticket = desk.spool.read("WEB-1")
    work, (first,) = ticket.round.work, ticket.rounds
    strange = git(desk.upstream, "commit-tree", "-m", "of a branch that was begun afresh", "HEAD^{tree}")
    git(desk.upstream, "push", "-q", str(desk.mirror), f"{strange}:refs/heads/other")
    ended = (replace(work, tip=work.base), replace(work, tip=strange), work)
    rounds = tuple(replace(first, n=n, work=one) for n, one in enumerate(ended, 1))
    history = (*ticket.history[:-1], replace(ticket.history[-1], round=3))
    desk.spool.record(replace(ticket, rounds=rounds, history=history))

    desk.run("fetch", "WEB-1", str(desk.upstream))

    assert [bool(round.work.fetched) for round in desk.spool.read("WEB-1").rounds] == [True, False, True]


def test_a_fetch_that_brings_nothing_is_not_recorded(desk, tmp_path):
    desk.run("fetch", "WEB-1", str(tmp_path), code=65)

    assert desk.spool.read("WEB-1").round.work.fetched is None


@pytest.mark.skipif(os.getuid() != 0, reason="giving files away needs root")
def test_fetch_reads_a_mirror_that_belongs_to_somebody_else(desk):
    for folder, _, names in os.walk(desk.mirror):
        for name in (".", *names):
            os.chown(os.path.join(folder, name), 12345, 12345)
    desk.run("fetch", "WEB-1", str(desk.upstream))
    desk.run("diff", "WEB-1")


def test_fetch_overwrites_nothing(desk):
    git(desk.upstream, "checkout", "-q", "-b", "pco/WEB-1")
    said = desk.run("fetch", "WEB-1", str(desk.upstream), code=65).stderr
    assert "is checked out there" in said
    git(desk.upstream, "commit", "-q", "--allow-empty", "-m", "mine")
    mine = git(desk.upstream, "rev-parse", "HEAD")
    git(desk.upstream, "checkout", "-q", "main")
    assert "commits of its own" in desk.run("fetch", "WEB-1", str(desk.upstream), code=65).stderr
    assert git(desk.upstream, "rev-parse", "pco/WEB-1") == mine


def test_fetch_into_what_is_no_repository_says_so(desk, tmp_path):
    assert "not a git repository" in desk.run("fetch", "WEB-1", str(tmp_path), code=65).stderr
    desk.run("fetch", "WEB-1", "/nowhere", code=65)


def test_without_commits_or_mirror_it_says_so(desk):
    desk.has("WEB-2", State.COMPLETED)
    desk.has("WEB-3", State.ACTIVE, attempts=(Attempt(1, T0),))
    assert "has no commits" in desk.run("diff", "WEB-2", code=65).stderr
    assert "still running" in desk.run("fetch", "WEB-3", code=65).stderr
    shutil.rmtree(desk.mirror)
    assert "has no mirror" in desk.run("diff", "WEB-1", code=65).stderr
    assert desk.spool.find("WEB-1") is State.COMPLETED  # nothing of this makes the record corrupt
