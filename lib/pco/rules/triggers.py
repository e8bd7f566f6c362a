"""What makes a ticket of an item in Plane: it is new, it moved into a trigger state, somebody commented.

Nothing is made of an item that is closed or that the filters hold back.
"""

from datetime import datetime

from pco.ground.config import Filters, Triggers
from pco.ground.frozen import dataclass
from pco.ground.known import Seen
from pco.ground.ticket import Comment, Trigger
from pco.rules import filters as filtering
from pco.rules.sight import Sight


@dataclass(frozen=True)
class Rules:
    """What the configuration says for one project."""

    triggers: Triggers = Triggers()
    filters: Filters = Filters()


def arise(sight: Sight, seen: Seen | None, rules: Rules, since: datetime, now: datetime) -> Trigger | None:
    """What makes a ticket of an item that is none; None if nothing does.  `seen` is how it was known before."""
    if not admissible(sight, rules):
        return None
    triggers = rules.triggers
    if triggers.new_tickets and is_new(sight, seen, since):
        return Trigger("new", now, f"created in {sight.state.name}", sight.state)
    if triggers.status_changes and seen and seen.state != sight.state.id and into(sight, rules):
        return Trigger("status", now, f"moved to {sight.state.name}", sight.state)
    written = unseen(sight, seen, since)
    if triggers.comments and written:
        return Trigger("comment", now, commented(written), sight.state)
    return None


def existing(sight: Sight, rules: Rules, now: datetime) -> Trigger | None:
    """What makes a ticket of an item that was there before pco (`--backfill`): the state that it is in."""
    if not admissible(sight, rules) or not into(sight, rules):
        return None
    return Trigger("new", now, f"found in {sight.state.name}", sight.state)


def admissible(sight: Sight, rules: Rules) -> bool:
    """Whether an item can become a ticket at all: it is open, and the filters let it pass."""
    return not sight.closed and passes(sight, rules)


def passes(sight: Sight, rules: Rules) -> bool:
    """Whether the filters let an item pass."""
    return filtering.passes(rules.filters, sight.state, sight.labels, sight.priority, sight.assignees)


def into(sight: Sight, rules: Rules) -> bool:
    """Whether the item is in a state that triggers; where none is named, any does."""
    wanted = rules.triggers.into_states
    return not wanted or filtering.named(sight.state.name, wanted)


def is_new(sight: Sight, seen: Seen | None, since: datetime) -> bool:
    """Whether the item was created since the first poll and nothing was made of it so far."""
    return seen.new if seen else sight.created_at > since


def unseen(sight: Sight, seen: Seen | None, since: datetime) -> tuple[Comment, ...]:
    """The comments that no poll has seen yet; where none were asked for, those younger than the last look."""
    written = sight.comments or ()
    if seen and seen.comments is not None:
        return tuple(c for c in written if c.id not in seen.comments)
    edge = seen.updated_at if seen else since
    return tuple(c for c in written if c.at > edge)


def commented(comments: tuple[Comment, ...]) -> str:
    """Who commented, in words."""
    names = list(dict.fromkeys(comment.by for comment in comments))
    return f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''} commented"
