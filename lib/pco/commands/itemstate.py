"""The item's state in Plane, after its comment: read, judged, changed, recorded."""

from dataclasses import replace

from pco.commands.outbox import Run, change, frozen, note, with_post
from pco.ground.errors import BadConfig, PcoError
from pco.ground.ticket import PlaneState, StateChange, Ticket
from pco.outside.plane_refusals import Forbidden, Gone, Refused
from pco.rules import workflow
from pco.run import gravest


def move_item(run: Run, ticket: Ticket) -> Ticket:
    """Move the item to the state it shall have, if it still is where it was when the round began.

    The comment is what counts: what Plane refuses here for good is said and recorded, and the ticket is posted.
    """
    state = frozen(ticket).state
    if state.outcome or (run.pco.config.post.state == workflow.NONE and not state.to):
        return ticket
    try:
        return _move_item(run, ticket)
    except Gone:
        return _end(run, ticket, "left", "the item is gone from Plane")
    except Forbidden as error:
        if error.kind in ("token", "header"):
            raise
        return _refuse(run, ticket, error)
    except (Refused, BadConfig) as error:
        return _refuse(run, ticket, error)


def _move_item(run: Run, ticket: Ticket) -> Ticket:
    states = run.states(ticket.project)
    item = run.read.item(ticket.project, ticket.uuid)
    now = next((s for s in states if s.id == item.state), PlaneState(item.state, "another state", ""))
    to = frozen(ticket).state.to or workflow.goal(states, run.pco.config.post.state, now)
    if now.id == to.id:
        return _end(run, ticket, "done", to=to)
    if why := workflow.obstacle(now, ticket.round.trigger.state):
        return _end(run, ticket, "left", why)
    # Durable before the request, so that pco-poll knows the change for pco's own.
    ticket = note(run, ticket, state=StateChange(to))
    run.write.set_state(ticket.project, ticket.uuid, to.id)
    return _end(run, ticket, "done", to=to)


def _end(run: Run, ticket: Ticket, outcome: str, why: str = "", to: PlaneState | None = None) -> Ticket:
    """Record how the change of state ended; with `to`, the item is in it."""

    def ended(now: Ticket) -> Ticket:
        known = frozen(now).state.to
        now = with_post(now, state=StateChange(to or known, outcome, why))
        return replace(_known_as_ours(now, to), plane_state=to) if to else now

    if why:
        run.pco.log("info", f"its state in Plane is left alone: {why}", ticket.key)
    return change(run, ticket, ended)


def _known_as_ours(ticket: Ticket, to: PlaneState) -> Ticket:
    """Of a ticket that came back from a backup: that its item moved there was pco's own doing, before the restore.

    No record said so when a poll met the move and noted it; it must not bring the ticket back.
    """
    if not ticket.restored:
        return ticket
    ours = [n.kind == "moved" and n.state is not None and n.state.id == to.id and not n.given for n in ticket.noted]
    given = tuple(replace(n, given=ticket.round.n) if own else n for n, own in zip(ticket.noted, ours, strict=True))
    return replace(ticket, noted=given)


def _refuse(run: Run, ticket: Ticket, error: PcoError) -> Ticket:
    """The comment is in Plane, the item stays where it is: say so, and let the exit code say so."""
    said = f"the comment is in Plane, but its state was not changed: {error}"
    run.pco.log("warning", said, ticket.key, hint=error.hint, event="refused")
    run.pco.trouble = gravest(run.pco.trouble, error.exit)
    return _end(run, ticket, "refused", str(error))
