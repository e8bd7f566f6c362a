"""The names behind Plane's ids: states, labels, members of a project, and who pco is.

They are kept in the project's head and asked for again at each sweep and when an unknown id turns up, once a run.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pco.ground import markup, text
from pco.ground.polled import Head, Workflow
from pco.ground.ticket import Comment, PlaneState
from pco.rules.sight import Sight

if TYPE_CHECKING:
    from pco.commands.polling.run import Run
    from pco.outside.plane import Item, Remark

OURS = "pco"  # external_source of pco's own comments
MOST_TITLE = 255
SOMEONE = "someone"


class Lists:
    """The lists of the project of `head`."""

    def __init__(self, run: "Run", head: Head) -> None:
        self._run = run
        self._project = head.project
        self._asked: set[str] = set()
        self.me = head.me
        self.states = {w.id: w for w in head.states}
        self.labels = dict(head.labels)
        self.members = dict(head.members)

    def refresh(self) -> None:
        """Ask for all of them.  Raises Forbidden, BadConfig if the project is archived."""
        self.me = self._run.me
        for name in ("states", "labels", "members"):
            self._asked.discard(name)
            self._again(name)

    def kept(self, head: Head) -> Head:
        """The head with these lists."""
        states = tuple(sorted(self.states.values(), key=lambda w: w.sequence))
        return replace(head, me=self.me, states=states, labels=self.labels, members=self.members)

    def sight(self, item: "Item") -> Sight:
        """The item by names, as clean text."""
        return Sight(
            uuid=item.id,
            number=item.sequence_id,
            title=text.line(item.title)[:MOST_TITLE] or "(no title)",
            description=text.lines(markup.plain(item.description_html)),
            description_html=item.description_html,
            state=self._state(item.state),
            priority=item.priority,
            labels=tuple(name for id in item.labels if (name := self._label(id))),
            assignees=tuple(map(self._member, item.assignees)),
            created_at=item.created_at,
            updated_at=item.updated_at,
        )

    def comments(self, remarks: "tuple[Remark, ...]") -> tuple[Comment, ...]:
        """What people wrote, oldest first: neither pco's own comments nor empty ones."""
        theirs = [r for r in reversed(remarks) if r.actor != self.me and r.external_source != OURS]
        written = [(r, text.lines(markup.plain(r.html)).strip()) for r in theirs]
        return tuple(Comment(r.id, r.at, self._member(r.actor), words) for r, words in written if words)

    def _state(self, id: str) -> PlaneState:
        if id not in self.states:
            self._again("states")
        known = self.states.get(id)
        return PlaneState(id, known.name, known.group) if known else PlaneState(id, "an unknown state", "")

    def _label(self, id: str) -> str:
        if id not in self.labels:
            self._again("labels")
        return text.line(self.labels.get(id, ""))

    def _member(self, id: str) -> str:
        if id not in self.members:
            self._again("members")
        return text.line(self.members.get(id, ""), 64) or SOMEONE

    def _again(self, name: str) -> None:
        """Ask for one list, at most once a run beside `refresh`."""
        if name in self._asked:
            return
        self._asked.add(name)
        plane, project = self._run.plane, self._project
        if name == "states":
            found = plane.states(project)
            self.states = {w.state.id: Workflow(w.state.id, w.state.name, w.state.group, w.sequence) for w in found}
        elif name == "labels":
            self.labels = plane.labels(project)
        else:
            self.members = plane.members(project)
