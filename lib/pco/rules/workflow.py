"""Where an item goes in Plane's workflow once its comment is there, and when it is left where a person put it."""

from collections.abc import Sequence

from pco.ground import text
from pco.ground.errors import BadConfig
from pco.ground.ticket import PlaneState

CLOSED = ("completed", "cancelled")
GROUP = "group:"
NONE = "none"


def goal(states: Sequence[PlaneState], wanted: str, now: PlaneState) -> PlaneState:
    """The state that `post.state` means, of the project's, which come in the order of its workflow.

    `group:NAME` is the first of that group, or `now` if that is in it.  Raises BadConfig if there is none.
    """
    if wanted.startswith(GROUP):
        group = wanted.removeprefix(GROUP)
        fitting = [state for state in (now, *states) if state.group == group]
        known = sorted({state.group for state in states})
    else:
        fitting = [state for state in states if state.name == wanted]
        known = [state.name for state in states]
    if fitting:
        return fitting[0]
    what = "group" if wanted.startswith(GROUP) else "state"
    name = wanted.removeprefix(GROUP)
    raise BadConfig(
        f"post.state: this project has no {what} {name!r}{text.meant(name, known)}; it has {', '.join(known)}",
        "correct post.state, and move the item in Plane",
    )


def obstacle(now: PlaneState, began: PlaneState | None) -> str:
    """Why an item that is in `now` must be left alone; empty if it may be moved.  `began`: when the round began."""
    if now.group in CLOSED:
        return f"it is closed in Plane ({now.name})"
    if began is None:
        return "nobody knows what state it was in when the round began"
    if now.id != began.id:
        return f"it was moved to {now.name} in Plane"
    return ""
