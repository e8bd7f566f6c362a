"""The machine, once, as data: from where to where, by which program, and when.  pco-spool(5) prints the same table."""

from pco.ground.frozen import dataclass
from pco.ground.ticket import State

PENDING, APPROVED, ACTIVE, COMPLETED = State.PENDING, State.APPROVED, State.ACTIVE, State.COMPLETED
OUTBOX, POSTED, FAILED, REJECTED, CORRUPT = State.OUTBOX, State.POSTED, State.FAILED, State.REJECTED, State.CORRUPT
IDLE = (PENDING, APPROVED, COMPLETED, OUTBOX, POSTED, FAILED, REJECTED)  # no session runs in these


@dataclass(frozen=True)
class Move:
    """One kind of transition; None is "no file"."""

    from_: tuple[State | None, ...]
    to: tuple[State | None, ...]
    who: tuple[str, ...]
    when: str


MOVES = (
    Move((None,), (PENDING,), ("pco-poll", "pco-queue add"), "a trigger fired: new ticket, state change, new comment"),
    Move(
        (None,),
        (PENDING, COMPLETED, OUTBOX, POSTED, FAILED, REJECTED, CORRUPT),
        ("pco-restore",),
        "back from a backup, into an empty spool; none comes back approved or active",
    ),
    Move((PENDING,), (APPROVED,), ("pco-queue approve",), "a person; bound to the hash of what was shown"),
    Move((PENDING, APPROVED), (REJECTED,), ("pco-queue reject", "pco-poll"), "a person; or withdrawn in Plane"),
    Move(
        (APPROVED,),
        (PENDING,),
        ("pco-poll", "pco-queue unapprove", "pco-queue edit", "pco-restore"),
        "the approved content changed; or a person took the approval back",
    ),
    Move((APPROVED,), (ACTIVE,), ("pco-launch",), "a slot is free; not held, not paused, not before its retry time"),
    Move((ACTIVE,), (COMPLETED,), ("pco-watch",), "a summary was handed over and the session has ended"),
    Move((ACTIVE,), (APPROVED,), ("pco-watch",), "the session died or was stopped, and attempts are left"),
    Move((ACTIVE,), (FAILED,), ("pco-watch", "pco-restore"), "attempts, time or money used up; or no summary"),
    Move((ACTIVE,), (REJECTED,), ("pco-watch",), "a person or Plane asked to stop, and the session is gone"),
    Move((COMPLETED,), (OUTBOX,), ("pco-queue post",), "a person accepted, or edited, the summary"),
    Move((COMPLETED,), (APPROVED,), ("pco-queue rework",), "a person sent it back with a remark: a new round"),
    Move((OUTBOX,), (COMPLETED,), ("pco-queue recall",), "no request has been sent yet"),
    Move((OUTBOX,), (POSTED, FAILED), ("pco-post",), "it is in Plane; or Plane refused for good, or the item is gone"),
    Move((COMPLETED, FAILED), (REJECTED,), ("pco-queue reject",), "a person"),
    Move((FAILED,), (APPROVED,), ("pco-queue retry",), "a person: a new round, approved anew"),
    Move((FAILED,), (OUTBOX,), ("pco-queue post",), "a person: the round goes on"),
    Move((POSTED, REJECTED), (PENDING,), ("pco-poll", "pco-queue reopen"), "a new trigger: the next round"),
    Move(IDLE, (CORRUPT,), ("*",), "torn, hostile or unreadable content, seen by a program that holds the lock"),
    Move((ACTIVE,), (CORRUPT,), ("pco-watch",), "its record is unreadable; the session is gone"),
    Move((CORRUPT,), (*IDLE, ACTIVE), ("pco-queue repair",), "back to the state that it came from"),
    Move((CORRUPT, REJECTED), (None,), ("pco-queue drop",), "a person; all its files go"),
    Move(
        (PENDING, APPROVED, COMPLETED, POSTED, FAILED, REJECTED, CORRUPT),
        (None,),
        ("pco-purge", "pco-retention"),
        "removed everywhere: a person; posted, rejected and failed ones also after their time",
    ),
)


def allowed(from_: State | None, to: State | None, who: str) -> bool:
    """Whether `who` (a program, for pco-queue with its verb) may move a ticket so."""
    return any(from_ in m.from_ and to in m.to and (who in m.who or m.who == ("*",)) for m in MOVES)


def ways(from_: State | None, who: str) -> tuple[State | None, ...]:
    """The states to which `who` may move a ticket from `from_`."""
    return tuple(to for m in MOVES if from_ in m.from_ and (who in m.who or m.who == ("*",)) for to in m.to)
