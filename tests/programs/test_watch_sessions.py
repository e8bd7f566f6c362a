"""pco-watch and pco-session together: real tmux sessions with small agents, from birth to the next state."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Yard, a_mirror, git, sh, until
from support import Site

from pco.ground.ticket import State
from pco.outside.runners.tmux import Tmux

QUICK = {
    "complete_grace": "200ms",
    "start_within": "5s",
    "stall_after": "30s",
    "retry_after": "1s",
}


@pytest.fixture
def yard(site: Site, tmp_path: Path) -> Iterator[Yard]:
    """A site with quick deadlines; what runs in it ends with the test."""
    site.configure(sessions=QUICK)
    run = site.home / "run"
    made = Yard(site, a_mirror(tmp_path / "mirror.git"), Tmux(run / "tmux.sock", run / "trigger"), tmp_path / "watch.log")
    yield made
    made.close()


@pytest.fixture
def watch(yard: Yard) -> Iterator["subprocess.Popen[str]"]:
    """A running pco-watch."""
    started = yard.watch()
    yield started
    started.terminate()
    assert started.wait(10) == 0, yard.log.read_text()


def test_a_session_that_commits_and_hands_over_a_summary_is_completed_with_its_work(yard: Yard, watch: object) -> None:
    agent = "cat > got; git add got; git commit -q -m 'the work'; echo rest > left; pco-complete 'All done.'"
    yard.run("WEB-1", sh(agent))

    ticket = yard.comes_to("WEB-1", State.COMPLETED)

    assert ticket.round.summary == "All done."
    assert ticket.attempt and (ticket.attempt.outcome, ticket.attempt.exit, ticket.attempt.born) == ("completed", 0, True)
    work = ticket.round.work
    assert work and [c.subject for c in work.commits] == ["the work"]
    assert (work.uncommitted, work.problem, "got" in work.diffstat) == (1, "", True)
    assert git("--git-dir", str(yard.mirror), "show", "pco/WEB-1:got") == "Work on WEB-1."
