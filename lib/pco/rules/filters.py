"""Which items are taken, by name.  An empty list lets everything pass; within a list one match is enough."""

from collections.abc import Iterable

from pco.ground.config import Filters
from pco.ground.ticket import PlaneState, Ticket


def passes(
    filters: Filters, state: PlaneState | None, labels: Iterable[str], priority: str, assignees: Iterable[str]
) -> bool:
    """Whether an item with these traits is taken.  Upper and lower case do not matter."""
    return (
        _any(filters.states, [state.name] if state else [])
        and _any(filters.labels, labels)
        and _any(filters.priorities, [priority])
        and _any(filters.assignees, assignees)
    )


def passed(filters: Filters, ticket: Ticket) -> bool:
    """Whether the item was taken as the record has it."""
    return passes(filters, ticket.plane_state, ticket.labels, ticket.priority, ticket.assignees)


def named(name: str, wanted: Iterable[str]) -> bool:
    """Whether `name` is among the names that a person wrote down."""
    return name.strip().casefold() in {w.strip().casefold() for w in wanted}


def _any(wanted: tuple[str, ...], names: Iterable[str]) -> bool:
    return not wanted or any(named(name, wanted) for name in names)
