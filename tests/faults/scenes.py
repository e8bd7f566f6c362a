"""The scenes, as data: what is there, which program runs into the fault, and which ordinary runs come next."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from faults import scenery
from faults.worlds import World
from pco.ground.ticket import State

Command = tuple[str, ...]
POLL, WATCH, POST = ("pco-poll",), ("pco-watch", "--once"), ("pco-post",)
NOTIFY, DASHBOARD, LAUNCH = ("pco-notify",), ("pco-dashboard",), ("pco-launch",)
COLLECT, ALERT = ("pco-collect", "WEB-1"), ("pco-alert", "pco-poll.service")
ATTEST = ("pco-doctor", "attest", "26.1", "--note", "Anna")
ORDINARY: tuple[Command, ...] = (POLL, WATCH, POST, NOTIFY, DASHBOARD)
NO_LOSS, ONE_LAUNCH, ONE_POST, RECOVERY = "1 no loss", "2 one launch", "3 one post", "6 recovery"


@dataclass(frozen=True)
class Scene:
    """`prepare` sets it up; `command` meets the fault; then `next` runs, and all must be as if nothing had happened.

    A command of a person (`asked`) is given again if it was not acknowledged.  `loose` are parts of the end that may be
    another one: a session that was lost is begun again; then WEB-1 must be in one of the states `ends`, and a session of
    its have been started.  `meanwhile` runs while the command stands still.
    """

    name: str
    promise: str
    command: Command
    prepare: Callable[[World], None]
    next: tuple[Command, ...] = ORDINARY
    asked: bool = False
    loose: frozenset[str] = frozenset()
    ends: frozenset[State] = frozenset()
    spare: str = ""  # a pattern: files that may be there or not
    stdin: str = ""
    environ: Callable[[World], dict[str, str]] = field(default=lambda _: {})
    plane: bool = False
    meanwhile: Command = ()
    wakes: tuple[str, ...] = ()  # flags that must be set if there is work that nobody has done
    acknowledged: str = ""  # what is printed then; empty: the exit code says it
    codes: tuple[int, ...] = (0,)  # of a run to which nothing happens


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
    prepare = scenery.a_desk(("WEB-1", state), summary="Did it." if state in (State.COMPLETED,) else "")
    return Scene(f"queue {verb}", promise, ("pco-queue", verb, *words), prepare, asked=True, **more)  # type: ignore[arg-type]


SCENES = (
    Scene("poll", NO_LOSS, POLL, scenery.a_poll, plane=True),
    Scene("first poll", NO_LOSS, ("pco-poll", "--backfill"), scenery.a_first_poll, asked=True, plane=True),
    Scene("poll, torn record", NO_LOSS, POLL, scenery.a_torn_record, plane=True, codes=(65,)),
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
        scenery.an_outbox,
        (WATCH, NOTIFY, DASHBOARD),
        asked=True,
    ),
    queue("hold", State.PENDING, "--yes", "WEB-1"),
    Scene(
        "queue release",
        NO_LOSS,
        ("pco-queue", "release", "--yes", "WEB-1"),
        scenery.a_held_ticket,
        asked=True,
    ),
    queue("retry", State.FAILED, "--yes", "WEB-1"),
    queue("reopen", State.POSTED, "--yes", "WEB-1"),
    queue("drop", State.REJECTED, "--yes", "WEB-1"),
    Scene("queue pause", NO_LOSS, ("pco-queue", "pause"), scenery.a_desk(("WEB-1", State.APPROVED)), asked=True),
    Scene(
        "queue add",
        NO_LOSS,
        ("pco-queue", "add", "--test", "--title", "Try"),
        scenery.a_desk(),
        loose=frozenset({"LOCAL-1"}),
        spare="LOCAL-1",
    ),
    Scene("queue stop", NO_LOSS, ("pco-queue", "stop", "--yes", "WEB-1"), scenery.a_completion, (WATCH,), asked=True),
    Scene(
        "queue edit",
        NO_LOSS,
        ("pco-queue", "edit", "LOCAL-1", "--title", "Another", "--text", "Do it."),
        scenery.a_local_ticket,
        (POLL, WATCH, DASHBOARD),
        asked=True,
    ),
    Scene(
        "queue forward",
        NO_LOSS,
        ("pco-queue", "forward", "WEB-1", "--note", "Read it."),
        scenery.a_session_that_takes_words,
        (WATCH,),
        asked=True,
        loose=frozenset({"WEB-1.noted"}),
        spare="/forward/",
    ),
    Scene("queue resume", NO_LOSS, ("pco-queue", "resume"), scenery.a_pause, asked=True),
    Scene("queue repair", NO_LOSS, ("pco-queue", "repair", "--yes", "WEB-1"), scenery.a_mended_record, asked=True),
    Scene(
        "launch",
        ONE_LAUNCH,
        LAUNCH,
        scenery.an_approval,
        (LAUNCH, WATCH, LAUNCH, DASHBOARD),
        loose=ANYWHERE,
        ends=frozenset({State.ACTIVE}),
        spare=OF_WEB_1,
        plane=True,
    ),
    Scene(
        "session",
        ONE_LAUNCH,
        ("pco-session", HOME),
        scenery.a_session,
        (("pco-session", HOME), WATCH, LAUNCH, DASHBOARD),
        loose=ANYWHERE,
        ends=frozenset({State.ACTIVE, State.COMPLETED}),
        spare=OF_WEB_1,
    ),
    Scene(
        "hook: turn ended",
        RECOVERY,
        ("pco-hook", "WEB-1", HOME),
        scenery.hooked,
        (WATCH,),
        stdin=STOPPED,
        loose=TRIES,
        # Where what was forwarded cannot be read, the agent is at rest, and that is written down.
        spare="/out/|/audit/|/tally/",
    ),
    Scene(
        "hook: /complete",
        NO_LOSS,
        ("pco-hook", "WEB-1", HOME),
        scenery.a_living_session,
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
        scenery.a_living_session,
        (WATCH,),
        stdin=COSTS,
        asked=True,
        spare="/out/",
    ),
    Scene(
        "complete, by the agent",
        NO_LOSS,
        ("pco-complete", "Did it."),
        scenery.a_completion,
        (WATCH, DASHBOARD),
        asked=True,
        environ=scenery.inside,
    ),
    Scene(
        "complete, by a person",
        NO_LOSS,
        ("pco-complete", "WEB-1", "Did it."),
        scenery.a_completion,
        (WATCH, DASHBOARD),
        asked=True,
    ),
    Scene("collect", NO_LOSS, COLLECT, scenery.an_ended_unit, (COLLECT, WATCH, DASHBOARD)),
    Scene("alert", RECOVERY, ALERT, scenery.a_desk(), (NOTIFY, DASHBOARD), asked=True, spare="/sending/"),
    Scene("doctor attest", NO_LOSS, ATTEST, scenery.a_desk(), (DASHBOARD,), asked=True),
    Scene("watch", NO_LOSS, WATCH, scenery.ended_sessions, (WATCH, NOTIFY, DASHBOARD)),
    Scene("post", ONE_POST, POST, scenery.two_accepted, (POST, POLL, WATCH, NOTIFY, DASHBOARD), plane=True),
    Scene("push", RECOVERY, ("pco-push",), scenery.a_branch, (("pco-push",), DASHBOARD)),
    Scene("dashboard", RECOVERY, DASHBOARD, scenery.a_board, (DASHBOARD,)),
    Scene("notify", RECOVERY, NOTIFY, scenery.two_notices, (NOTIFY, DASHBOARD), spare="/sending/"),
    Scene("backup", NO_LOSS, ("pco-backup",), scenery.a_backup, (("pco-backup",), DASHBOARD), spare="/backups/"),
    Scene(
        "restore", NO_LOSS, ("pco-restore",), scenery.a_lost_machine, (WATCH, DASHBOARD), asked=True, spare="/restored"
    ),
    Scene("retention", RECOVERY, ("pco-retention",), scenery.an_old_site, (("pco-retention",), DASHBOARD)),
    Scene(
        "purge",
        RECOVERY,
        ("pco-purge", "--yes", "WEB-5"),
        scenery.a_backup,
        (("pco-retention",), DASHBOARD),
        asked=True,
    ),
)


def race(command: Command, meanwhile: Command, prepare: Callable[[World], None], **more: object) -> Scene:
    """The command is stopped at each of its calls, and the other one runs."""
    name = f"{' '.join(command).removeprefix('pco-')} | {' '.join(meanwhile).removeprefix('pco-')}"
    name = name.replace(" --yes", "").replace(" --test", "").replace(f" {HOME}", "")
    return Scene(name, more.pop("promise", NO_LOSS), command, prepare, meanwhile=meanwhile, plane=True, **more)  # type: ignore[arg-type]


def decide(verb: str, key: str = "WEB-1") -> Command:
    """A person's command."""
    return ("pco-queue", verb, "--yes", key)


ADD: Command = ("pco-queue", "add", "--test")
SESSION: Command = ("pco-session", HOME)
PENDING, COMPLETED = (
    scenery.a_desk(("WEB-1", State.PENDING)),
    scenery.a_desk(("WEB-1", State.COMPLETED), summary="Did it."),
)
RACES = (
    race(POLL, decide("approve"), scenery.two_decisions, next=(POLL, WATCH)),
    race(POLL, decide("hold"), scenery.two_decisions, next=(POLL, WATCH)),
    race(POLL, LAUNCH, scenery.two_decisions, next=(POLL,), promise=ONE_LAUNCH),
    race(decide("approve"), decide("reject"), PENDING, next=(WATCH,)),
    race(decide("hold"), decide("approve"), PENDING, next=(WATCH,)),
    race(decide("post"), ("pco-queue", "rework", "--yes", "WEB-1", "Again."), COMPLETED, next=(WATCH,)),
    race(ADD, ADD, scenery.a_desk(), next=(WATCH,), loose=frozenset({"LOCAL-1.uuid", "LOCAL-2.uuid"})),
    race(
        LAUNCH,
        decide("approve", "WEB-2"),
        scenery.one_approved_one_pending,
        next=(),
        promise=ONE_LAUNCH,
        wakes=("launch",),
    ),
    race(LAUNCH, decide("unapprove"), scenery.an_approval, next=(), promise=ONE_LAUNCH),
    race(LAUNCH, LAUNCH, scenery.an_approval, next=(), promise=ONE_LAUNCH),
    race(SESSION, SESSION, scenery.a_session, next=(), promise=ONE_LAUNCH),
    race(SESSION, WATCH, scenery.a_session, next=(WATCH,), promise=ONE_LAUNCH, loose=ANYWHERE),
    race(WATCH, ("pco-complete", "WEB-1", "By hand."), scenery.a_handed_over_session, next=(WATCH,)),
    race(WATCH, decide("stop"), scenery.a_handed_over_session, next=(WATCH,)),
    race(POST, POST, scenery.a_slow_plane, next=(POST, WATCH), promise=ONE_POST),
    race(POST, decide("recall"), scenery.an_outbox, next=(WATCH,), promise=ONE_POST),
    race(POST, POLL, scenery.an_outbox, next=(POST, POLL, WATCH), promise=ONE_POST),
)
SCENES = (*SCENES, *RACES)
