"""What a scene begins with: tickets, items in Plane, sessions, a backup; each function sets up one site."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from faults.worlds import ITEMS, World
from pco.ground import attempt, events, polled, spend
from pco.ground.notice import Notice
from pco.ground.spend import Book, Spent
from pco.ground.ticket import Commit, Hold, State, Stop, Work
from pco.spool import notices
from programs.backing import lose
from programs.launching import WHO
from support import T0


def _first_poll(world: World) -> None:
    world.speak()
    world.run("pco-poll")


def a_poll(world: World) -> None:
    """In Plane: an item is new, one pending is cancelled, one approved is edited, one posted is commented, one is gone."""
    _first_poll(world)
    world.ticket("WEB-1", State.PENDING)
    world.ticket("WEB-2", State.APPROVED)
    world.accepted("WEB-3", State.POSTED)
    world.ticket("WEB-4", State.PENDING)
    world.ticket("WEB-5", State.COMPLETED, summary="Did it.")
    world.ticket("WEB-9", State.REJECTED)
    person = world.person
    person.create("New", state="Todo", description_html="<p>Do it.</p>")
    person.cancel("WEB-1")
    person.edit("WEB-2", name="Another title")
    person.comment("WEB-3", "<p>Once more.</p>")
    person.comment("WEB-5", "<p>And this.</p>")
    person.archive("WEB-4")
    world.spooled.control.ask_import("WEB-10", "ann", datetime.now(UTC))
    # Else it looks for what is gone in a run of ten minutes later, and not in this one.
    polled.write(world.home / "plane", replace(polled.read(world.home / "plane", world.project), swept_at=None))


def a_first_poll(world: World) -> None:
    """Nothing is known yet, and all that is there shall become tickets: four items, the others are done."""
    for number in range(5, ITEMS + 1):
        world.person.close(f"WEB-{number}")


def a_desk(*placed: tuple[str, State], **round: object) -> Callable[[World], None]:
    """Tickets in these states."""

    def prepare(world: World) -> None:
        _first_poll(world)
        for key, state in placed:
            world.ticket(key, state, **round)

    return prepare


def a_held_ticket(world: World) -> None:
    """A ticket that a person holds back."""
    _first_poll(world)
    world.ticket("WEB-1", State.PENDING)
    world.spool("pco-queue hold").update("WEB-1", lambda t: (replace(t, hold=Hold("ann", T0)), None))


def an_outbox(world: World) -> None:
    """One comment waits to be posted."""
    _first_poll(world)
    world.accepted("WEB-1")


def two_accepted(world: World) -> None:
    """Two comments wait, one of which was sent before, and the answer was lost."""
    _first_poll(world)
    world.accepted("WEB-1")
    world.accepted("WEB-2", sending_since=datetime.now(UTC))


def an_approval(world: World) -> None:
    """A ticket that a person approved, and room for it."""
    _first_poll(world)
    world.approved("WEB-1")


def a_session(world: World) -> None:
    """An active ticket, whose session is about to begin; its agent says that it ran, and hands over a summary."""
    _first_poll(world)
    mirror(world)
    home = world.home / "sessions" / "WEB-1" / "1.1"
    event = json.dumps(
        {
            "schema": 1,
            "round": 1,
            "attempt": 1,
            "event": "completed",
            "at": "2026-11-22T12:00:00Z",
            "boot": 1.0,
            "detail": {"summary": "Did it.", "by": "agent"},
        }
    )
    script = f"echo {home} >>{world.live}/ran; echo '{event}' >.e; sync .e; mv .e {home}/out/events/00000000000000000001-1.json; echo x >x; git add x; git commit -qm x"
    world.active("WEB-1", ("sh", "-c", script))


def a_completion(world: World) -> None:
    """A session that has done its work, and an agent that says so."""
    _first_poll(world)
    world.born(world.active("WEB-1"))


def a_living_session(world: World) -> None:
    """The same, and the session is still there."""
    _first_poll(world)
    world.born(world.active("WEB-1", living=True))


def ended_sessions(world: World) -> None:
    """One session handed over its summary and ended, one died, one was asked to stop, one was never born."""
    _first_poll(world)
    mirror(world)
    out = world.born(world.active("WEB-1"))
    (out / "screen").write_text("hello\n")
    events.write(str(out), 1, 1, "completed", {"summary": "Did it.", "by": "agent"})
    bundle(world, out)
    world.born(world.active("WEB-2"))
    world.active("WEB-3")
    world.born(world.active("WEB-4"))
    asked = Stop(T0, "ann", "not now")
    world.spool("pco-queue stop").update("WEB-4", lambda t: (replace(t, stop=asked), None))
    world.ticket("WEB-6", State.REJECTED)
    (world.home / "sessions" / "WEB-7" / "1.1").mkdir(parents=True)
    world.spooled.control.ask_clean("WEB-7", "ann", datetime.now(UTC))


def a_torn_record(world: World) -> None:
    """A record that somebody tore, and another one to look at."""
    _first_poll(world)
    world.ticket("WEB-1", State.PENDING)
    path = world.spooled.path("WEB-1", State.PENDING)
    path.write_bytes(path.read_bytes()[:100])
    world.person.edit("WEB-1", name="Another title")
    (world.live / "torn").touch()


def a_branch(world: World) -> None:
    """A completed ticket with a commit in the mirror, and a repository that wants it."""
    _first_poll(world)
    mirror(world)
    tip = commit(world, "WEB-1")
    base = git(world, "-C", str(world.live / "git"), "rev-parse", "main")
    work = Work((Commit(tip, "work"),), " a | 1 +\n", "pco/WEB-1", base, tip)
    world.ticket("WEB-1", State.COMPLETED, summary="Did it.", work=work)
    (project,) = world.values["plane"]["projects"]
    git(world, "init", "-q", "--bare", str(world.live / "remote"))
    world.configure(plane={"projects": [{**project, "push": True, "push_url": str(world.live / "remote")}]})


def a_board(world: World) -> None:
    """Tickets in most states."""
    _first_poll(world)
    for number, state in enumerate((s for s in State if s not in (State.CORRUPT, State.ACTIVE)), 1):
        world.ticket(f"WEB-{number}", state)


def two_notices(world: World) -> None:
    """Two events of which nobody was told."""
    _first_poll(world)
    for key in ("WEB-1", "WEB-2"):
        notices.leave(world.home / "spool", f"failed-{key}", Notice("failed", datetime.now(UTC), key, {"why": "so"}))


def a_backup(world: World) -> None:
    """Something of everything."""
    a_board(world)
    mirror(world)
    commit(world, "WEB-5")
    home = world.home / "sessions" / "WEB-5" / "1.1"
    home.mkdir(parents=True)
    (home / "prompt.md").write_text("Do it.")
    spend.write(world.home / "metrics", datetime.now(UTC).date(), Book(sessions={"WEB-5:1.1": Spent(0.0, 2.0)}))


def a_lost_machine(world: World) -> None:
    """A backup, and nothing else."""
    a_backup(world)
    world.run("pco-backup")
    lose(world)


def an_old_site(world: World) -> None:
    """Tickets whose time is over, with all that is left of them; and a purge that was begun."""
    a_backup(world)
    long = timedelta(days=400)
    for key, state in (("WEB-10", State.POSTED), ("WEB-11", State.REJECTED), ("WEB-12", State.FAILED)):
        world.ticket(key, state, ago=long)
        os.utime(world.spooled.path(key, state), (1.0, 1.0))
        (world.home / "sessions" / key / "1.1").mkdir(parents=True)
        (world.home / "sessions" / key / "1.1" / "prompt.md").write_text("Do it.")
        (world.home / "sessions" / key / "workspace").mkdir()
    (world.home / "audit" / "2020-01.jsonl").write_text("")
    day = (datetime.now(UTC) - timedelta(days=9)).date()
    spend.write(world.home / "metrics", day, Book(sessions={"WEB-10:1.1": Spent(0.0, 2.0)}))
    world.configure(retention={"posted": "30d", "rejected": "30d", "failed": "30d", "audit": "365d"})
    world.spooled.control.begin_purge("WEB-8", "ann", datetime.now(UTC))


def git(world: World, *words: str) -> str:
    """What git answers."""
    import subprocess

    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *WHO, *words], env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def mirror(world: World) -> None:
    """The mirror of the one project."""
    git(world, "clone", "-q", "--bare", str(world.live / "git"), str(world.home / "mirrors" / f"{world.project}.git"))


def commit(world: World, key: str) -> str:
    """A commit on a ticket's branch, in the mirror; returns it."""
    checkout = str(world.live / "git")
    git(world, "-C", checkout, "checkout", "-q", "-B", f"pco/{key}", "main")
    git(world, "-C", checkout, "commit", "-q", "--allow-empty", "-m", f"of {key}")
    git(world, "-C", checkout, "push", "-q", "-f", str(world.home / "mirrors" / f"{world.project}.git"), f"pco/{key}")
    tip = git(world, "-C", checkout, "rev-parse", "HEAD")
    git(world, "-C", checkout, "checkout", "-q", "main")
    git(world, "-C", checkout, "branch", "-q", "-D", f"pco/{key}")
    return tip


def bundle(world: World, out: os.PathLike[str]) -> None:
    """The commits of WEB-1's session, as it leaves them."""
    checkout = str(world.live / "git")
    git(world, "-C", checkout, "checkout", "-q", "-B", "pco/WEB-1", "main")
    git(world, "-C", checkout, "commit", "-q", "--allow-empty", "-m", "work")
    git(world, "-C", checkout, "bundle", "create", "-q", f"{os.fspath(out)}/work.bundle", "pco/WEB-1")
    git(world, "-C", checkout, "checkout", "-q", "main")


def inside(world: World) -> dict[str, str]:
    """What an agent has in its environment."""
    return {"PCO_ATTEMPT_DIR": str(world.home / "sessions" / "WEB-1" / "1.1")}


def hooked(world: World) -> None:
    """A session of an agent with hooks, to which something was forwarded."""
    a_living_session(world)
    home = world.home / "sessions" / "WEB-1" / "1.1"
    (home / "forward").mkdir()
    (home / "forward" / "1.md").write_text("Read it.")


def an_ended_unit(world: World) -> None:
    """A session whose unit has ended, with what it left where it alone could write."""
    _first_poll(world)
    home, private = world.active("WEB-1"), world.live / "private"
    os.rename(world.born(home), private)
    attempt.write_launch(home, replace(world.launch("WEB-1", home, ("true",)), out=str(private)))
    (home.parent / "current").symlink_to(home.name)
    events.write(str(private), 1, 1, "completed", {"summary": "Did it.", "by": "agent"})
    (private / "screen").write_text("hello\n")


def a_session_that_takes_words(world: World) -> None:
    """A living session of an agent with hooks."""
    a_living_session(world)
    home = world.home / "sessions" / "WEB-1" / "1.1"
    attempt.write_launch(home, replace(world.launch("WEB-1", home, ("true",)), agent="claude"))
    events.write(str(home / "out"), 1, 1, "started", {})


def a_local_ticket(world: World) -> None:
    """A ticket that is not of Plane, approved."""
    _first_poll(world)
    world.run("pco-queue", "add", "--test", "--title", "Try")
    world.run("pco-queue", "approve", "--yes", "LOCAL-1")


def a_pause(world: World) -> None:
    """A person stopped all launches."""
    an_approval(world)
    world.run("pco-queue", "pause")


def a_mended_record(world: World) -> None:
    """A ticket that was set aside, and whose file a person has mended since."""
    _first_poll(world)
    world.ticket("WEB-1", State.PENDING)
    path = world.spooled.path("WEB-1", State.PENDING)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    world.person.edit("WEB-1", name="Another title")
    world.run("pco-poll", code=65)
    world.spooled.path("WEB-1", State.CORRUPT).write_bytes(whole)


def two_decisions(world: World) -> None:
    """One ticket is pending and cancelled in Plane, one is approved and edited there."""
    _first_poll(world)
    world.ticket("WEB-1", State.PENDING)
    world.approved("WEB-2")
    world.person.cancel("WEB-1")
    world.person.edit("WEB-2", name="Another title")


def one_approved_one_pending(world: World) -> None:
    """A ticket that can be launched, and one that waits for a person."""
    an_approval(world)
    world.ticket("WEB-2", State.PENDING)


def a_handed_over_session(world: World) -> None:
    """A session that has ended with a summary."""
    _first_poll(world)
    out = world.born(world.active("WEB-1"))
    events.write(str(out), 1, 1, "completed", {"summary": "Did it.", "by": "agent"})


def a_slow_plane(world: World) -> None:
    """An outbox, and a Plane that takes its time between looking for a comment and keeping it."""
    world.race = 1.0
    an_outbox(world)
