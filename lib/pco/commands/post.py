"""Post accepted summaries to Plane, each exactly once.

Takes the tickets in outbox, oldest first.  For each it has the comment in Plane, then moves the item to the state that
`post.state` in the configuration names, unless somebody moved or closed it meanwhile, and puts the ticket into posted.
If Plane refuses the comment for good, or the item is deleted or archived, the ticket goes to failed; what may pass
leaves it in outbox, and the next run goes on where this one ended.  A local ticket is posted without any request.

Before a comment is sent for the first time it is searched for the token of Plane, and for whatever else the unit was
given as a credential, by value.  If one is in it nothing is sent, and the ticket goes to failed; the reason is the kind
of the secret, never the secret.

Before each request the record says so, durably.  Who finds that word waits until the request can no longer be under
way (plane.settle), looks whether the comment is there, and only then sends the same again under the same id, which
Plane takes once.  The comment of a ticket that came back from a backup is looked for, too: a machine that was lost may
have posted it.

The comment is made when a person accepts it (pco-queue post), and never changes afterwards.  Its form is the Markdown
file that `post.template` names, else share/comment.md.  $summary must stand there, on a line of its own; before and
after it there may be

    $key $title $round         the ticket, and the number of the round
    $work                      such as: 2 commits on pco/WEB-12; 1 file changed, 3 insertions(+)
    $commits                   a line for each commit: id and subject; the first 20
    $diffstat                  a line for each file that was changed, the first 20, and one with the totals
    $changed                   that one alone: 1 file changed, 3 insertions(+)
    $left                      such as: 3 uncommitted changes left behind
    $branch $base $repository  where the commits are, and on which branch of what they are based
    $compare                   where people see what is on the branch; empty unless it is pushed, see pco-push(1)
    $cost                      what the round has cost, such as $1.20
    $written_by                who wrote the summary: the agent, or a person
    $approved_by $accepted_by  who let the agent work, and who accepts the summary

A line with $commits or $diffstat is repeated for each of theirs.  A line that names variables, all of which are empty,
is left out, and so is a block, up to the next empty line, of which that is true as a whole: so a heading goes with the
list below it.  Between lines of three backticks $diffstat keeps its columns.  $$ is a dollar.  What a variable says is
text, never markup; only the summary is Markdown.  With a wrong form nothing can be accepted, and pco-queue says which
line is wrong.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from pco.command import command
from pco.commands import tallying
from pco.commands.itemstate import move_item
from pco.commands.outbox import Run, change, frozen, note, with_post
from pco.ground import apitoken, credentials, markup, text, times
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, TryLater
from pco.ground.ticket import Post, State, Ticket
from pco.outside.plane_refusals import Forbidden, Gone, Refused, Throttled, Unanswered
from pco.rules import comment as comments
from pco.run import Pco, alone, put_aside
from pco.spool.store import Stale

if TYPE_CHECKING:
    from pco.outside.plane_values import Remark

LONGEST_WAIT = timedelta(minutes=1)  # for a request to settle; for more, the timer comes again
PAT_EVERY = 5.0  # seconds; well below the unit's WatchdogSec


class Leaking(BadData):
    """The comment has a secret of pco's own in it."""


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
    with alone(pco, "post"):
        if not keys:
            pco.spool.control.awake("post")  # else others may wait, whom this run passes over
        run = Run(pco)
        try:
            for ticket in waiting(pco, keys, lambda e, key: put_aside(pco, key, State.OUTBOX, e)):
                pco.service.doing(f"posts {ticket.key}")
                if not deliver(run, ticket):
                    break
                pco.service.pat()
        finally:
            if run.clients:
                tallying.keep(pco, tallying.of_requests(run.clients))
        left = pco.spool.count(State.OUTBOX)
        pco.conclude(f"{text.count(run.posted, 'ticket')} posted, {left} left in outbox", worth=run.posted > 0)


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


def _looked_for(ticket: Ticket) -> str:
    """Why its comment is looked for first, for --dry-run."""
    if _unsettled(ticket):
        return " (sent before; looked for first)"
    return " (back from a backup; looked for first)" if ticket.restored else ""


def preview(pco: Pco, ticket: Ticket) -> None:
    """Show what would be sent for one ticket."""
    post = ticket.round.post
    if ticket.local or post is None:
        pco.say(f"{ticket.key}: {'local, nothing to send' if ticket.local else 'no comment is in its record'}")
        return
    looked = f"comment {post.external_id}{_looked_for(ticket)}"
    known = "its comment is in Plane already" if post.comment_id else looked
    pco.say(f"{ticket.key}: {known}; then state {pco.config.post.state}")
    for line in [] if post.comment_id else markup.plain(post.body).splitlines():
        pco.say(f"    {line}".rstrip())


def deliver(run: Run, ticket: Ticket) -> bool:
    """Post one ticket, or say what became of it.  False if the others would meet the same trouble."""
    try:
        post(run, ticket)
    except Stale as error:
        run.pco.log("info", str(error))
    except (Gone, Refused, Leaking) as error:
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
    ticket = change(run, ticket, lambda t: with_post(t, posted_at=now), State.POSTED)
    run.posted += 1
    done = ticket.round.post
    run.pco.announce("moved", ticket, {"comment_id": done.comment_id, "item": done.state.outcome} if done else {})
    run.pco.spool.control.wake("dashboard")


# The comment.


def comment(run: Run, ticket: Ticket) -> Ticket:
    """Have the comment in Plane, once, and its id in the record."""
    post = frozen(ticket)
    if post.comment_id:
        return ticket
    if post.sending_since:
        settle(run, post)
    # Plane takes comments on items that are gone, and shows them to nobody.
    run.read.item(ticket.project, ticket.uuid)
    run.pco.service.pat()
    # What a lost machine did before the ticket came back from a backup stands in no record.
    if (post.sending_since or ticket.restored) and (known := look(run, ticket)):
        if not post.sending_since:
            tell_found(run, ticket, known)
        return note(run, ticket, comment_id=known.id)
    if not post.sending_since:
        search(run, post)
    return send(run, ticket)


def search(run: Run, post: Post) -> None:
    """Look for the secrets that this program has.  Raises Leaking, which names the kinds."""
    known = [("the token of Plane", apitoken.read(run.pco.config.plane, os.environ)), *credentials.given(os.environ)]
    if kinds := credentials.held(f"{post.body}\n{markup.plain(post.body)}", known):
        raise Leaking(f"the comment has {' and '.join(kinds)} in it")


def settle(run: Run, post: Post) -> None:
    """Wait until a request that was sent before can no longer be under way.  Raises TryLater if that is far off."""
    span = run.pco.config.plane.settle
    since = (run.pco.now() - post.sending_since) if post.sending_since else span
    left = min(span - since, span)  # not longer, though the clock was set back
    if left > LONGEST_WAIT:
        raise TryLater(f"a request may still be under way for {times.rough(left)}")
    until = time.monotonic() + left.total_seconds()
    while (rest := until - time.monotonic()) > 0:
        run.pco.service.pat()
        time.sleep(min(rest, PAT_EVERY))


def look(run: Run, ticket: Ticket) -> "Remark | None":
    """Our comment among all of the item's; None if it is not there."""
    name = (comments.SOURCE, frozen(ticket).external_id)
    remarks = run.read.comments(ticket.project, ticket.uuid)
    return next((r for r in remarks if (r.external_source, r.external_id) == name), None)


def tell_found(run: Run, ticket: Ticket, known: "Remark") -> None:
    """The comment of a ticket that came back from a backup was there: say so, and whether it says what was accepted."""
    when = f"since {known.at:%Y-%m-%d %H:%M} UTC, from before the restore"
    if markup.plain(known.html).split() == markup.plain(frozen(ticket).body).split():
        run.pco.log("info", f"its comment is in Plane {when}: nothing is posted", ticket.key)
        return
    hint = f"pco-queue reopen {ticket.key} begins a round whose comment is posted"
    said = f"Plane has another comment of this round {when}: nothing is posted, that one stays"
    run.pco.log("warning", said, ticket.key, hint=hint)


def send(run: Run, ticket: Ticket) -> Ticket:
    """Send the comment once and record its id.  Raises what the client raises."""
    before = frozen(ticket).sending_since
    ticket = note(run, ticket, sending_since=run.pco.now())
    post = frozen(ticket)
    try:
        id = run.write.comment(ticket.project, ticket.uuid, post.body, post.external_id)
    except PcoError as error:
        # Plane may apply what we no longer wait for: settling begins now.  Else nothing was sent that counts.
        maybe = isinstance(error, Unanswered) and error.maybe_applied
        note(run, ticket, sending_since=run.pco.now() if maybe else before)
        raise
    return note(run, ticket, comment_id=id)


def give_up(run: Run, ticket: Ticket, error: Gone | Refused | Leaking) -> None:
    """Move a ticket to failed, with the reason: a person decides."""
    gone = isinstance(error, Gone)
    why = "the item is deleted or archived in Plane" if gone else f"{error}"
    ticket = change(run, ticket, lambda t: replace(t, gone=t.gone or gone), State.FAILED, why)
    run.pco.announce("moved", ticket, {"why": why})
    run.pco.spool.control.wake("dashboard")
    again = f"pco-queue post {ticket.key} tries again, pco-queue reject {ticket.key} ends it"
    hint = f"restore it in Plane; {again}" if gone else again
    if isinstance(error, Leaking):
        hint = f"change that secret: it got out; pco-queue post {ticket.key} --edit takes it out of the comment"
    told = type(error)(f"nothing was posted: {why}; moved to failed", hint)
    run.pco.fail(told, ticket.key)
