"""pco-post: one comment for each ticket, whatever dies or gets lost on the way."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pco.ground.ticket import State
from programs.posting import LISTS, POSTS, Desk, desk
from support import TOP, Site

MOST_RENAMES = 40


@pytest.fixture
def plane(site: Site) -> Iterator[Desk]:
    """A Plane with one item, and pco beside it."""
    with desk(site, items=1) as made:
        yield made


def test_killed_while_it_waits_for_the_answer(plane):
    plane.ticket()
    plane.plane.faults({"kind": "slow", **POSTS, "seconds": 0.5, "count": 1})
    run = plane.site.start("pco-post")
    deadline = time.monotonic() + 20
    while not plane.asked("POST"):
        assert time.monotonic() < deadline
        time.sleep(0.005)

    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    plane.site.configure(plane={"settle": "1s"})
    plane.post()

    assert plane.asked("POST") == 1
    assert plane.posted().comment_id == plane.only_comment()


def test_killed_at_any_rename(site):
    """Each run dies at one call later than the one before; after each the next run must end it well."""
    with desk(site, items=MOST_RENAMES) as plane:
        died = 0
        for when in range(1, MOST_RENAMES):
            key = f"WEB-{when}"
            plane.ticket(key)
            fired = killed_at(plane, when)
            if not fired:
                break
            died += 1
            assert plane.read(key).state in (State.OUTBOX, State.POSTED)
            plane.post()
            assert plane.posted(key).comment_id == plane.only_comment(key)
            assert plane.in_plane(key) == "In Progress"
        # Sending, sent, state, done, posted: five records and a move at least, or the harness hit nothing.
        assert 6 <= died < MOST_RENAMES - 1


def killed_at(plane: Desk, when: int) -> bool:
    """Run pco-post, killed at its rename of that number; False if it came to its end before."""
    inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename"]
    inject += ["-e", f"inject=rename:signal=SIGKILL:when={when}"]
    command = [*inject, sys.executable, str(TOP / "bin" / "pco-post")]
    run = subprocess.run(command, env=plane.site.environment(), capture_output=True, text=True, check=False)
    assert run.returncode in (0, 137, -signal.SIGKILL), run.stderr
    return run.returncode != 0


def test_two_hundred_posts_under_sixty_percent_faults_are_two_hundred_comments(site):
    kinds = {
        "lost_before": 0.18,
        "lost_after": 0.25,
        "error_before": 0.12,
        "error_after": 0.18,
        "late": 0.12,
        "cut": 0.1,
    }
    changes = {"method": "PATCH", "path": "/work-items/"}
    keys = [f"WEB-{n}" for n in range(1, 201)]
    with desk(site, items=len(keys)) as plane:
        for key in keys:
            plane.ticket(key)
        plane.plane.faults(
            {"kind": "lag", **LISTS, "probability": 0.3, "seconds": 60},
            *({"kind": kind, **POSTS, "probability": p, "seed": 7} for kind, p in kinds.items() if kind != "late"),
            {"kind": "late", **POSTS, "probability": kinds["late"], "seconds": 0.1},
            {"kind": "lost_after", **changes, "probability": 0.1},
            {"kind": "lost_before", **changes, "probability": 0.1, "seed": 3},
        )

        codes = [plane.post("-q", code=None).returncode]
        while codes[-1] == 75 and len(codes) < 60:
            codes.append(plane.post("-q", code=None).returncode)

        assert codes[-1] == 0
        posts = [r for r in plane.plane.requests() if r["method"] == "POST"]
        assert sum(bool(r["faults"]) for r in posts) >= 0.6 * len(posts)
        assert sorted(site.spool().keys(State.POSTED)) == sorted(keys)
        ours = {row["external_id"]: row["id"] for row in plane.plane.rows("comments")}
        assert len(plane.plane.rows("comments")) == len(ours) == len(keys)
        for key in keys:
            assert plane.posted(key).comment_id == ours[plane.posted(key).external_id]
