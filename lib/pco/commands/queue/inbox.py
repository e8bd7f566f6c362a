"""Bare `pco-queue`: what waits for a person, and the next command to type.  It takes no lock."""

from dataclasses import dataclass, field
from pathlib import Path

from pco.commands.queue.select import ordered, readable
from pco.commands.queue.terminal import echo, paint, when, width
from pco.ground import polled, text, times
from pco.ground.errors import PcoError
from pco.ground.ticket import OPEN, State, Ticket
from pco.rules import hearing
from pco.rules.budget import HOLDER
from pco.run import Pco

MOST = 8  # tickets shown of each kind


@dataclass
class Waiting:
    """The open tickets by what a person has to do."""

    pending: list[Ticket] = field(default_factory=list)
    blocked: list[Ticket] = field(default_factory=list)
    resting: list[Ticket] = field(default_factory=list)  # its turn has ended, or failed, without a summary
    completed: list[Ticket] = field(default_factory=list)
    failed: list[Ticket] = field(default_factory=list)
    held: list[Ticket] = field(default_factory=list)  # by pco itself
    corrupt: dict[str, str] = field(default_factory=dict)  # key -> what is wrong
    others: list[Ticket] = field(default_factory=list)


def inbox(pco: Pco) -> None:
    """Print it."""
    found = gather(pco)
    echo(pco, text.line(summary(found), width()) or "Nothing waits for you.")
    for title, look, tickets in (
        ("To approve", "pending", found.pending),
        ("Blocked: the agent waits for an answer", "blocked", found.blocked),
        ("At rest: the agent waits for a word, or for /complete", "resting", found.resting),
        ("To accept", "completed", found.completed),
        ("Failed", "failed", found.failed),
        ("On hold until you release it", "approved", found.held),
    ):
        _group(pco, title, look, tickets)
    for key, reason in found.corrupt.items():
        echo(pco, paint(text.line(f"Cannot be read: {key}: {reason}", width()), "corrupt"))
    echo(pco)
    for line in [*_elsewhere(pco, found), *_comments(found), *_form(pco, found), *_pause(pco), *_polls(pco)]:
        echo(pco, text.line(line, width()))
    if command := next_command(found):
        echo(pco, f"\nNext: {paint(command, 'title')}")


def gather(pco: Pco) -> Waiting:
    """Read the open tickets and sort them by what they wait for."""
    found = Waiting()

    def trouble(key: str, state: State, error: PcoError) -> None:
        found.corrupt[key] = f"{error}; stays in {state}"

    for ticket in ordered(list(readable(pco, *OPEN, trouble=trouble))):
        waits = ("blocked" if ticket.blocked else "resting") if hearing.waits(ticket) else ""
        kind = waits or ("held" if _circles(ticket) else ticket.state.value)
        known = ("pending", "blocked", "resting", "completed", "failed", "held")
        getattr(found, kind if kind in known else "others").append(ticket)
    for key in pco.spool.keys(State.CORRUPT):
        why = pco.spool.aside(key)
        found.corrupt[key] = f"set aside: {why.reason}" if why else "set aside"
    return found


def summary(found: Waiting) -> str:
    """`2 wait for approval, 1 blocked (WEB-9: Bash), 1 to accept, 1 failed`; empty if nothing waits."""
    pending = len(found.pending)
    parts = [
        f"{pending} wait{'s' if pending == 1 else ''} for approval" if pending else "",
        f"{len(found.blocked)} blocked ({_some(found.blocked)})" if found.blocked else "",
        f"{len(found.resting)} at rest ({_some(found.resting)})" if found.resting else "",
        f"{len(found.completed)} to accept" if found.completed else "",
        f"{len(found.failed)} failed" if found.failed else "",
        f"{len(found.held)} put on hold" if found.held else "",
        f"{len(found.corrupt)} corrupt" if found.corrupt else "",
    ]
    return ", ".join(part for part in parts if part)


def next_command(found: Waiting) -> str:
    """What to type next; empty if nothing waits."""
    if found.blocked:
        return f"pco-queue attach {found.blocked[0].key}"
    if found.resting:
        return f"pco-queue attach {found.resting[0].key}"
    decide = [*found.pending, *found.completed, *found.failed]
    if len(decide) > 1:
        return "pco-queue review"
    decide += found.held
    if decide:
        return f"pco-queue show {decide[0].key}"
    return f"pco-queue show {min(found.corrupt)}" if found.corrupt else ""


def _group(pco: Pco, title: str, look: str, tickets: list[Ticket]) -> None:
    if not tickets:
        return
    echo(pco, f"\n{paint(title, 'blocked' if look == 'resting' else look)}")
    keys = max(len(t.key) for t in tickets[:MOST])
    for ticket in tickets[:MOST]:
        entered = ticket.entered()
        age = times.rough(pco.now() - entered) if entered else "?"
        why = _what(ticket) if look in ("blocked", "resting") else _why(ticket) if look == "approved" else ""
        extra = f"  [{why}]" if why else ""
        echo(pco, _cut(f"  {ticket.key:<{keys}}  {age:>4}  {text.line(ticket.title)}{extra}"))
    if len(tickets) > MOST:
        state = tickets[0].state
        echo(pco, f"  and {len(tickets) - MOST} more (pco-queue list --state {state})")


def _cut(line: str) -> str:
    """A clean line whose blanks count, cut to the terminal."""
    columns = width()
    while columns and text.columns(line) > columns:
        line = f"{line[:-2]}…"
    return line


def _what(ticket: Ticket) -> str:
    """What its agent waits with: `Bash`, `its turn has ended`."""
    return text.line(ticket.blocked.what or "a question" if ticket.blocked else hearing.doing(ticket)[0], 40)


def _some(tickets: list[Ticket]) -> str:
    return ", ".join(f"{t.key}: {_what(t)}" for t in tickets[:3]) + (", …" if len(tickets) > 3 else "")


def _circles(ticket: Ticket) -> bool:
    """Whether pco itself put it on hold, for a person to look at."""
    hold = ticket.hold
    return ticket.state is State.APPROVED and hold is not None and hold.by == HOLDER and hold.until is None


def _why(ticket: Ticket) -> str:
    return text.line(ticket.hold.why if ticket.hold else "", 100)


def _elsewhere(pco: Pco, found: Waiting) -> list[str]:
    """What is under way without anybody."""
    counts = {state: sum(t.state is state for t in found.others) for state in OPEN}
    held = sum(t.hold is not None and (t.hold.until is None or t.hold.until > pco.now()) for t in found.others)
    said = [f"{n} {state}" for state, n in counts.items() if n]
    said += [f"{held} of them held"] if held else []
    asked = len(pco.spool.control.imports())
    said += [f"{asked} asked to be imported"] if asked else []
    return [f"Under way: {', '.join(said)}."] if said else []


def _comments(found: Waiting) -> list[str]:
    """What people in Plane said while a session runs, which its agent does not know."""
    running = (*found.blocked, *found.resting, *found.others)
    keys = [ticket.key for ticket in running if ticket.state is State.ACTIVE and ticket.unknown]
    more = ", …" if len(keys) > MOST else ""
    return [f"New comments on what runs: {', '.join(keys[:MOST])}{more} (pco-queue forward KEY)"] if keys else []


def _form(pco: Pco, found: Waiting) -> list[str]:
    """What keeps summaries from being accepted: a wrong form of the comment."""
    from pco.commands import commenting

    wrong = commenting.trouble(pco) if found.completed else ""
    return [f"Nothing can be accepted: {wrong}"] if wrong else []


def _pause(pco: Pco) -> list[str]:
    note = pco.spool.control.paused()
    if note is None:
        return []
    why = f": {note.text}" if note.text else ""
    return [f"Paused by {note.by}, {when(pco, note.at)}{why} (pco-queue resume)"]


def _polls(pco: Pco) -> list[str]:
    """When Plane was last asked, what went wrong with it, and when it will be asked again as far as that is known."""
    lines, last = [], []
    for project in pco.config.plane.projects:
        try:
            head = polled.read(pco.config.paths.plane, project.id)
        except PcoError as error:
            lines.append(f"{error}")
            continue
        name = head.key or project.key or project.id
        if head.failed:
            lines.append(f"{name}: {head.failed} polls failed since the last good one: {head.error}")
        last.append((head.polled_at, name))
    never = [name for at, name in last if at is None]
    known = [at for at, _ in last if at]
    if not pco.config.plane.projects:
        return ["No project of Plane is configured (plane.projects)."]
    asked = f"Last poll {when(pco, min(known))}." if known else "Plane was never polled."
    also = f" Never polled: {', '.join(never)}." if never and known else ""
    return [f"{asked}{also} {_next_poll()}", *lines]


def _next_poll() -> str:
    if Path("/run/systemd/system").is_dir():
        return "Next: systemctl list-timers pco-poll.timer"
    return "No timer is known here; pco-poll asks Plane now."
