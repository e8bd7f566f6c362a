"""An item as Plane shows it now, by names and as clean text; and a record made or brought up to date from it."""

from dataclasses import replace
from datetime import datetime

from pco.ground.frozen import dataclass
from pco.ground.ticket import Comment, PlaneState, Round, Ticket, Trigger
from pco.rules.prompt import is_note, take_up

CLOSED = ("completed", "cancelled")  # groups of states in which nothing is to be done


@dataclass(frozen=True)
class Sight:
    """An item.  `comments` are those of people, oldest first, pco's own left out; None: they were not asked for."""

    uuid: str
    number: int
    title: str
    description: str
    description_html: str
    state: PlaneState
    priority: str
    labels: tuple[str, ...]
    assignees: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    comments: tuple[Comment, ...] | None = None

    @property
    def closed(self) -> bool:
        """Whether it is done or cancelled in Plane."""
        return self.state.group in CLOSED


def make(sight: Sight, key: str, project: str, url: str, id: str, trigger: Trigger) -> Ticket:
    """The ticket that an item becomes; `id` is random."""
    return Ticket(
        key=key,
        uuid=sight.uuid,
        project=project,
        id=id,
        title=sight.title,
        rounds=(Round(1, trigger, comments=take_up(sight.comments or ())),),
        description=sight.description,
        description_html=sight.description_html,
        plane_state=sight.state,
        labels=sight.labels,
        priority=sight.priority,
        assignees=sight.assignees,
        url=url,
        created_at=sight.created_at,
        updated_at=sight.updated_at,
    )


def edited(ticket: Ticket, sight: Sight) -> bool:
    """Whether the text is another.  Plain text is compared: Plane rewrites the HTML as it likes."""
    return (ticket.title, ticket.description) != (sight.title, sight.description)


def with_text(ticket: Ticket, sight: Sight) -> Ticket:
    """The ticket with the item's text; HTML that says the same in other tags is left as it was."""
    if not edited(ticket, sight):
        return ticket
    return replace(ticket, title=sight.title, description=sight.description, description_html=sight.description_html)


def with_traits(ticket: Ticket, sight: Sight, moved: bool) -> Ticket:
    """The ticket with the item's labels, priority and assignees, and, if it moved, with its state; it is there."""
    return replace(
        ticket,
        plane_state=sight.state if moved else ticket.plane_state,
        labels=sight.labels,
        priority=sight.priority,
        assignees=sight.assignees,
        updated_at=sight.updated_at,
        gone=False,
    )


def with_traits_of(ticket: Ticket, other: Ticket) -> Ticket:
    """The ticket with what another record of it says of the item, beside its text: that by which events are seen."""
    return replace(
        ticket,
        plane_state=other.plane_state,
        labels=other.labels,
        priority=other.priority,
        assignees=other.assignees,
        updated_at=other.updated_at,
    )


def with_comments(ticket: Ticket, sight: Sight, new: tuple[Comment, ...], deleted_too: bool) -> Ticket:
    """The ticket with the comments of its round as they are now, and the new ones.

    A round need not have all comments of the item (a rework leaves out what its conversation knows), so only those
    that it has are brought up to date.  With `deleted_too` those that are no longer there go; notes never were there.
    """
    if sight.comments is None:
        return ticket
    now = {comment.id: comment for comment in sight.comments}
    kept = [now.get(c.id, c) for c in ticket.round.comments if c.id in now or not deleted_too or is_note(c)]
    return ticket.with_round(comments=take_up((*kept, *new)))
