"""The scenes, as data: what is there, which program runs into the fault, and which ordinary runs come next."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from faults.worlds import World
from pco.ground import events, spend
from pco.ground.notice import Notice
from pco.ground.spend import Book, Spent
from pco.ground.ticket import Commit, Hold, State, Work
from pco.spool import notices
from programs.backing import lose
from programs.launching import WHO
from support import T0

Command = tuple[str, ...]
POLL, WATCH, POST = ("pco-poll",), ("pco-watch", "--once"), ("pco-post",)
NOTIFY, DASHBOARD, LAUNCH = ("pco-notify",), ("pco-dashboard",), ("pco-launch",)
ORDINARY: tuple[Command, ...] = (POLL, WATCH, POST, NOTIFY, DASHBOARD)
NO_LOSS, ONE_LAUNCH, ONE_POST, RECOVERY = "1 no loss", "2 one launch", "3 one post", "6 recovery"


@dataclass(frozen=True)
class Scene:
    """`prepare` sets it up; `command` meets the fault; then `next` runs, and all must be as if nothing had happened.

    A command of a person (`asked`) is given again if it was not acknowledged.  `loose` are parts of the end that may be
    another one: a session that was lost is begun again.  `meanwhile` runs while the command stands still.
    """

    name: str
    promise: str
    command: Command
    prepare: Callable[[World], None]
    next: tuple[Command, ...] = ORDINARY
    asked: bool = False
    loose: frozenset[str] = frozenset()
    spare: str = ""  # a pattern: files that may be there or not
    stdin: str = ""
    environ: Callable[[World], dict[str, str]] = field(default=lambda _: {})
    plane: bool = False
    meanwhile: tuple[Command, ...] = ()
    acknowledged: str = ""  # what is printed then; empty: the exit code says it
    codes: tuple[int, ...] = (0,)  # of a run to which nothing happens


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


def a_first_poll(world: World) -> None:
    """Nothing is known yet, and all that is there shall become tickets."""


def _desk(*placed: tuple[str, State], **round: object) -> Callable[[World], None]:
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
    script = f"echo {home} >>{world.live}/ran; echo '{event}' >.e; mv .e {home}/out/events/00000000000000000001-1.json; echo x >x; git add x; git commit -qm x"
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


HOME = "{home}/sessions/WEB-1/1.1"
STOPPED = json.dumps({"hook_event_name": "Stop", "last_assistant_message": "Done."})
HANDS_OVER = json.dumps(
    {"hook_event_name": "UserPromptExpansion", "command_name": "complete", "command_args": "Did it."}
)
COSTS = json.dumps({"session_id": "s", "cost": {"total_cost_usd": 1.5}})
TRIES = frozenset({"WEB-1.rounds", "WEB-1.noted"})
ANYWHERE = frozenset({"WEB-1"})
OF_WEB_1 = r"/WEB-1(/|\.|$)"


def queue(verb: str, state: State, *words: str, promise: str = NO_LOSS, **more: object) -> Scene:
    """A person decides about WEB-1, which is in `state`."""
    prepare = _desk(("WEB-1", state), summary="Did it." if state in (State.COMPLETED,) else "")
    return Scene(f"queue {verb}", promise, ("pco-queue", verb, *words), prepare, asked=True, **more)  # type: ignore[arg-type]


SCENES = (
    Scene("poll", NO_LOSS, POLL, a_poll, plane=True),
    Scene("first poll", NO_LOSS, ("pco-poll", "--backfill"), a_first_poll, asked=True, plane=True),
    Scene("poll, torn record", NO_LOSS, POLL, a_torn_record, plane=True, codes=(65,)),
    queue("approve", State.PENDING, "--yes", "WEB-1"),
    queue("unapprove", State.APPROVED, "--yes", "WEB-1"),
    queue(
        "post", State.COMPLETED, "--yes", "WEB-1", promise=ONE_POST, next=(WATCH, POST, NOTIFY, DASHBOARD), plane=True
    ),
    queue("reject", State.COMPLETED, "--yes", "WEB-1"),
    queue("rework", State.COMPLETED, "--yes", "WEB-1", "Tests are missing.", loose=frozenset({"WEB-1.notes"})),
    Scene(
        "queue recall",
        NO_LOSS,
        ("pco-queue", "recall", "--yes", "WEB-1"),
        an_outbox,
        (WATCH, NOTIFY, DASHBOARD),
        asked=True,
    ),
    queue("hold", State.PENDING, "--yes", "WEB-1"),
    Scene(
        "queue release",
        NO_LOSS,
        ("pco-queue", "release", "--yes", "WEB-1"),
        a_held_ticket,
        asked=True,
    ),
    queue("retry", State.FAILED, "--yes", "WEB-1"),
    queue("reopen", State.POSTED, "--yes", "WEB-1"),
    queue("drop", State.REJECTED, "--yes", "WEB-1"),
    Scene("queue pause", NO_LOSS, ("pco-queue", "pause"), _desk(("WEB-1", State.APPROVED)), asked=True),
    Scene(
        "queue add",
        NO_LOSS,
        ("pco-queue", "add", "--test", "--title", "Try"),
        _desk(),
        loose=frozenset({"LOCAL-1"}),
        spare="LOCAL-1",
    ),
    Scene(
        "launch",
        ONE_LAUNCH,
        LAUNCH,
        an_approval,
        (LAUNCH, WATCH, LAUNCH, DASHBOARD),
        loose=ANYWHERE,
        spare=OF_WEB_1,
        plane=True,
    ),
    Scene(
        "session",
        ONE_LAUNCH,
        ("pco-session", HOME),
        a_session,
        (("pco-session", HOME), WATCH, LAUNCH, DASHBOARD),
        loose=ANYWHERE,
        spare=OF_WEB_1,
    ),
    Scene(
        "hook: turn ended",
        RECOVERY,
        ("pco-hook", "WEB-1", HOME),
        hooked,
        (WATCH,),
        stdin=STOPPED,
        loose=TRIES,
        spare="/out/",
    ),
    Scene(
        "hook: /complete",
        NO_LOSS,
        ("pco-hook", "WEB-1", HOME),
        a_living_session,
        (WATCH,),
        stdin=HANDS_OVER,
        asked=True,
        acknowledged="was handed over",
        spare="/out/",
    ),
    Scene(
        "hook: costs",
        RECOVERY,
        ("pco-hook", "WEB-1", HOME, "status"),
        a_living_session,
        (WATCH,),
        stdin=COSTS,
        asked=True,
        spare="/out/",
    ),
    Scene(
        "complete, by the agent",
        NO_LOSS,
        ("pco-complete", "Did it."),
        a_completion,
        (WATCH, DASHBOARD),
        asked=True,
        environ=inside,
    ),
    Scene(
        "complete, by a person",
        NO_LOSS,
        ("pco-complete", "WEB-1", "Did it."),
        a_completion,
        (WATCH, DASHBOARD),
        asked=True,
    ),
    Scene("watch", NO_LOSS, WATCH, ended_sessions, (WATCH, NOTIFY, DASHBOARD)),
    Scene("post", ONE_POST, POST, two_accepted, (POST, POLL, WATCH, NOTIFY, DASHBOARD), plane=True),
    Scene("push", RECOVERY, ("pco-push",), a_branch, (("pco-push",), DASHBOARD)),
    Scene("dashboard", RECOVERY, DASHBOARD, a_board, (DASHBOARD,)),
    Scene("notify", RECOVERY, NOTIFY, two_notices, (NOTIFY, DASHBOARD), spare="/sending/"),
    Scene("backup", NO_LOSS, ("pco-backup",), a_backup, (("pco-backup",), DASHBOARD), spare="/backups/"),
    Scene("restore", NO_LOSS, ("pco-restore",), a_lost_machine, (WATCH, DASHBOARD), asked=True),
    Scene("retention", RECOVERY, ("pco-retention",), an_old_site, (("pco-retention",), DASHBOARD)),
    Scene("purge", RECOVERY, ("pco-purge", "--yes", "WEB-5"), a_backup, (("pco-retention",), DASHBOARD), asked=True),
)
