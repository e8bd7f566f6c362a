"""Post accepted summaries to Plane, each exactly once.

Takes the tickets in outbox, oldest first.  For each it has the comment in Plane, then moves the item to the state that
`post.state` in the configuration names, unless somebody moved or closed it meanwhile, and puts the ticket into posted.
If Plane refuses the comment for good, or the item is deleted or archived, the ticket goes to failed; what may pass
leaves it in outbox, and the next run goes on where this one ended.  A local ticket is posted without any request.

Before each request the record says so, durably.  Who finds that word waits until the request can no longer be under
way (plane.settle), looks whether the comment is there, and only then sends the same again under the same id, which
Plane takes once.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from pco import command as shared
from pco.command import Pco, command
from pco.ground import markup, text, times
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, TryLater
from pco.ground.ticket import PlaneState, Post, State, StateChange, Ticket
from pco.outside.plane_refusals import Forbidden, Gone, Refused, Throttled, Unanswered
from pco.rules import comment as comments
from pco.rules import workflow
from pco.spool.store import Stale

if TYPE_CHECKING:
    from pco.outside.plane import Plane

LONGEST_WAIT = timedelta(minutes=1)  # for a request to settle; for more, the timer comes again
PAT_EVERY = 5.0  # seconds; well below the unit's WatchdogSec


@command
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be posted; send nothing, change nothing.")
def main(pco: Pco, keys: tuple[str, ...], dry_run: bool) -> None:
    """Post accepted summaries to Plane, each exactly once; all that wait, or only these KEYs.

    \b
    Examples:
      pco-post                 post what waits in outbox
      pco-post --dry-run       show what would be posted
      pco-post WEB-12          only this one
    """
    if dry_run:
        for ticket in waiting(pco, keys, pco.fail):
            preview(pco, ticket)
        return
    with pco.spool.alone():
        pco.spool.control.awake("post")
        run = Run(pco)
        for ticket in waiting(pco, keys, lambda e, key: shared.put_aside(pco, key, State.OUTBOX, e)):
            if not deliver(run, ticket):
                break
            pat()


class Run:
    """What the tickets of one run share."""

    def __init__(self, pco: Pco) -> None:
        self.pco = pco
        self._states: dict[str, tuple[PlaneState, ...]] = {}

    @cached_property
    def read(self) -> "Plane":
        """Plane for reading: tries again after what passes, waits for its turn."""
        return self.pco.plane(urgent=True)

    @cached_property
    def write(self) -> "Plane":
        """Plane for writing: it waits for no turn, so that `sending_since` is no older than the request."""
        return self.pco.plane(urgent=True, patience=timedelta(0))

    def states(self, project: str) -> tuple[PlaneState, ...]:
        """The states of a project in the order of its workflow; asked for once."""
        if project not in self._states:
            found = sorted(self.read.states(project), key=lambda w: w.sequence)
            self._states[project] = tuple(w.state for w in found)
        return self._states[project]


def waiting(pco: Pco, keys: tuple[str, ...], trouble: Callable[[PcoError, str], None]) -> list[Ticket]:
    """The tickets in outbox, oldest first; those that a request may still be under way for come last."""
    found = {t.key: t for t in pco.spool.tickets(State.OUTBOX, trouble=lambda key, error: trouble(error, key))}
    for key in keys:
        if key not in found and (error := _absent(pco, key)):
            pco.fail(error, key)
    chosen = [ticket for ticket in found.values() if not keys or ticket.key in keys]
    return sorted(chosen, key=lambda t: (_unsettled(t), t.entered() or pco.now(), t.key))


def _absent(pco: Pco, key: str) -> BadData | None:
    try:
        state = pco.spool.find(key)
    except BadData as error:
        return error
    if state is State.OUTBOX:
        return None  # said already: it cannot be read
    if state is None:
        return BadData(f"no such ticket{text.meant(key, pco.spool.keys(State.OUTBOX))}")
    hint = f"pco-queue post {key} accepts it" if state in (State.COMPLETED, State.FAILED) else ""
    return BadData(f"it is in {state}, not in outbox", hint)


def _unsettled(ticket: Ticket) -> bool:
    post = ticket.round.post
    return post is not None and post.sending_since is not None and not post.comment_id


def preview(pco: Pco, ticket: Ticket) -> None:
    """Show what would be sent for one ticket."""
    post = ticket.round.post
    if ticket.local or post is None:
        pco.say(f"{ticket.key}: {'local, nothing to send' if ticket.local else 'no comment is in its record'}")
        return
    known = "its comment is in Plane already" if post.comment_id else f"comment {post.external_id}"
    if _unsettled(ticket):
        known += " (sent before; looked for first)"
    pco.say(f"{ticket.key}: {known}; then state {pco.config.post.state}")
    for line in [] if post.comment_id else markup.plain(post.body).splitlines():
        pco.say(f"    {line}".rstrip())


def deliver(run: Run, ticket: Ticket) -> bool:
    """Post one ticket, or say what became of it.  False if the others would meet the same trouble."""
    try:
        post(run, ticket)
    except Stale as error:
        run.pco.log("info", str(error))
    except (Gone, Refused) as error:
        give_up(run, ticket, error)
    except Throttled as error:
        run.pco.fail(_told(error, "stays in outbox"), ticket.key)
        return False
    except Forbidden as error:
        run.pco.fail(_told(error, "stays in outbox"), ticket.key)
        return error.kind not in ("token", "header")
    except (BadData, TryLater, NotPermitted, BadConfig) as error:
        run.pco.fail(_told(error, "stays in outbox"), ticket.key)
    return True


def _told(error: PcoError, becomes: str) -> PcoError:
    """The error, with what becomes of the ticket."""
    told = PcoError(f"{error}; {becomes}", error.hint)
    told.exit = error.exit
    return told


def post(run: Run, ticket: Ticket) -> None:
    """Bring one ticket to its end: the comment, the state, posted."""
    if not ticket.local:
        ticket = comment(run, ticket)
        ticket = move_item(run, ticket)
    now = run.pco.now()
    ticket = change(run, ticket, lambda t: _with_post(t, posted_at=now), State.POSTED)
    done = ticket.round.post
    run.pco.announce("moved", ticket, {"comment_id": done.comment_id, "item": done.state.outcome} if done else {})
    run.pco.spool.control.wake("dashboard")


# The comment.


def comment(run: Run, ticket: Ticket) -> Ticket:
    """Have the comment in Plane, once, and its id in the record."""
    post = _frozen(ticket)
    if post.comment_id:
        return ticket
    if post.sending_since:
        settle(run, post)
    # Plane takes comments on items that are gone, and shows them to nobody.
    run.read.item(ticket.project, ticket.uuid)
    if post.sending_since and (known := look(run, ticket)):
        return note(run, ticket, comment_id=known)
    return send(run, ticket)


def settle(run: Run, post: Post) -> None:
    """Wait until a request that was sent before can no longer be under way.  Raises TryLater if that is far off."""
    span = run.pco.config.plane.settle
    since = (run.pco.now() - post.sending_since) if post.sending_since else span
    left = min(span - since, span)  # not longer, though the clock was set back
    if left > LONGEST_WAIT:
        raise TryLater(f"a request may still be under way for {times.rough(left)}")
    until = time.monotonic() + left.total_seconds()
    while (rest := until - time.monotonic()) > 0:
        pat()
        time.sleep(min(rest, PAT_EVERY))


def look(run: Run, ticket: Ticket) -> str:
    """The id of our comment among all of the item's; empty if it is not there."""
    name = (comments.SOURCE, _frozen(ticket).external_id)
    remarks = run.read.comments(ticket.project, ticket.uuid)
    return next((r.id for r in remarks if (r.external_source, r.external_id) == name), "")


def send(run: Run, ticket: Ticket) -> Ticket:
    """Send the comment once and record its id.  Raises what the client raises."""
    before = _frozen(ticket).sending_since
    ticket = note(run, ticket, sending_since=run.pco.now())
    post = _frozen(ticket)
    try:
        id = run.write.comment(ticket.project, ticket.uuid, post.body, post.external_id)
    except PcoError as error:
        # Plane may apply what we no longer wait for: settling begins now.  Else nothing was sent that counts.
        maybe = isinstance(error, Unanswered) and error.maybe_applied
        note(run, ticket, sending_since=run.pco.now() if maybe else before)
        raise
    return note(run, ticket, comment_id=id)


# The state of the item.


def move_item(run: Run, ticket: Ticket) -> Ticket:
    """Move the item to the state it shall have, if it still is where it was when the round began.

    The comment is what counts: what Plane refuses here for good is said and recorded, and the ticket is posted.
    """
    state = _frozen(ticket).state
    if state.outcome or (run.pco.config.post.state == workflow.NONE and not state.to):
        return ticket
    try:
        return _move_item(run, ticket)
    except Gone:
        return end_state(run, ticket, "left", "the item is gone from Plane")
    except Forbidden as error:
        if error.kind in ("token", "header"):
            raise
        return refuse_state(run, ticket, error)
    except (Refused, BadConfig) as error:
        return refuse_state(run, ticket, error)


def _move_item(run: Run, ticket: Ticket) -> Ticket:
    states = run.states(ticket.project)
    item = run.read.item(ticket.project, ticket.uuid)
    now = next((s for s in states if s.id == item.state), PlaneState(item.state, "another state", ""))
    to = _frozen(ticket).state.to or workflow.goal(states, run.pco.config.post.state, now)
    if now.id == to.id:
        return end_state(run, ticket, "done", to=to)
    if why := workflow.obstacle(now, ticket.round.trigger.state):
        return end_state(run, ticket, "left", why)
    # Durable before the request, so that pco-poll knows the change for pco's own.
    ticket = note(run, ticket, state=StateChange(to))
    run.write.set_state(ticket.project, ticket.uuid, to.id)
    return end_state(run, ticket, "done", to=to)


def end_state(run: Run, ticket: Ticket, outcome: str, why: str = "", to: PlaneState | None = None) -> Ticket:
    """Record how the change of state ended; with `to`, the item is in it."""

    def ended(now: Ticket) -> Ticket:
        known = _frozen(now).state.to
        now = _with_post(now, state=StateChange(to or known, outcome, why))
        return replace(now, plane_state=to) if to else now

    if why:
        run.pco.log("info", f"{ticket.key}: its state in Plane is left alone: {why}")
    return change(run, ticket, ended)


def refuse_state(run: Run, ticket: Ticket, error: PcoError) -> Ticket:
    """The comment is in Plane, the item stays where it is: say so, and let the exit code say so."""
    run.pco.log("warning", f"{ticket.key}: the comment is in Plane, but its state was not changed: {error}")
    if error.hint:
        run.pco.log("warning", f"({error.hint})")
    run.pco.trouble = shared.gravest(run.pco.trouble, error.exit)
    return end_state(run, ticket, "refused", str(error))


# The record.


def give_up(run: Run, ticket: Ticket, error: Gone | Refused) -> None:
    """Move a ticket to failed, with the reason: a person decides."""
    gone = isinstance(error, Gone)
    why = "the item is deleted or archived in Plane" if gone else f"{error}"
    ticket = change(run, ticket, lambda t: replace(t, gone=t.gone or gone), State.FAILED, why)
    run.pco.announce("moved", ticket, {"why": why})
    run.pco.spool.control.wake("dashboard")
    again = f"pco-queue post {ticket.key} tries again, pco-queue reject {ticket.key} ends it"
    hint = f"restore it in Plane; {again}" if gone else again
    told = type(error)(f"nothing was posted: {why}; moved to failed", hint)
    run.pco.fail(told, ticket.key)


def note(run: Run, ticket: Ticket, **changes: Any) -> Ticket:
    """Write what became of the comment into the record, durably."""
    return change(run, ticket, lambda t: _with_post(t, **changes))


def change(
    run: Run, ticket: Ticket, edit: Callable[[Ticket], Ticket], to: State | None = None, why: str = ""
) -> Ticket:
    """Edit the record as it is now, for pco-poll may have noted something in it.  Raises Stale if it was recalled."""
    ours = (State.OUTBOX, ticket.round.n, _body(ticket))

    def judge(now: Ticket) -> tuple[Ticket, State | None]:
        if (now.state, now.round.n, _body(now)) != ours:
            raise Stale(f"{ticket.key} was taken out of outbox meanwhile")
        return edit(now), to

    try:
        return run.pco.spool.update(ticket.key, judge, why=why)
    except KeyError:
        raise Stale(f"{ticket.key} was taken out of outbox meanwhile") from None


def _body(ticket: Ticket) -> tuple[str, str]:
    post = ticket.round.post
    return (post.external_id, post.body) if post else ("", "")


def _frozen(ticket: Ticket) -> Post:
    """The comment that was frozen when a person accepted it.  Raises BadData."""
    if ticket.round.post is None:
        raise BadData("no comment is in its record")
    return ticket.round.post


def _with_post(ticket: Ticket, **changes: Any) -> Ticket:
    """The ticket with its comment's record changed; a local one may have none."""
    post = ticket.round.post
    return ticket.with_round(post=replace(post, **changes)) if post else ticket


def pat() -> None:
    """Tell systemd's watchdog that there is progress."""
    if "NOTIFY_SOCKET" in os.environ:
        from sdnotify import SystemdNotifier

        SystemdNotifier().notify("WATCHDOG=1")
