"""A visit to one project: each item that moved is looked at, judged, and only then known.

What a visit learns is kept in this order: tickets, then what is known of items, then the head with the watermark.
Whoever dies in between sees the same events again, and finds in the records that they are no news.
"""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pco.commands.polling.lists import Lists
from pco.ground import polled, text
from pco.ground.config import Project
from pco.ground.errors import BadConfig, BadData, NotPermitted, TryLater
from pco.ground.known import Known, Seen
from pco.ground.polled import Head
from pco.ground.ticket import FINISHED, KEY, LOCAL, State, Ticket, Trigger
from pco.rules import effects, triggers
from pco.rules.sight import Sight, make
from pco.rules.triggers import Rules

if TYPE_CHECKING:
    from pco.commands.polling.run import Run
    from pco.outside.plane import Item, ProjectInfo

BATCH = 100
NEVER = datetime.max.replace(tzinfo=UTC)
_MEMBER_HINT = "add the token's user to the project in Plane (as a member, no guest), or take it out of plane.projects"
_KEY_HINT = "give the project a `key:` of 1 to 12 of A-Z, 0-9 and _ under plane.projects"


class Visit:
    """One project in one run; `head` is changed as the visit goes on, and written by `keep`."""

    def __init__(self, run: "Run", project: Project, head: Head) -> None:
        self.run = run
        self.project = project
        self.head = head
        self.known = Known(run.pco.config.paths.plane / project.id / "known")
        self.lists = Lists(run, head)
        self.rules = Rules(run.pco.config.triggers, project.filters or run.pco.config.filters)
        self.prefix = project.key or head.key
        self.waiting = dict(head.waiting)
        self.noted = set(head.noted)
        self.seen: set[str] = set()  # items that Plane showed in this visit: they are not gone
        self._new: dict[str, Ticket] = {}
        self._introduced = False
        self._before = len(run.plane.calls)

    @property
    def name(self) -> str:
        """What the project is called in messages."""
        return self.prefix if KEY.fullmatch(f"{self.prefix}-1") else f"project {self.project.id}"

    # At the beginning.

    def prepare(self) -> None:
        """Know the project's names; asks Plane only the first time.  Raises BadConfig, NotPermitted."""
        if self.head.identifier and self.head.states:
            self._claim_prefix()
        else:
            self.introduce()

    def introduce(self) -> None:
        """Ask Plane for the project and its lists, once in a visit."""
        if self._introduced:
            return
        self._introduced = True
        info = self._info()
        self.lists.refresh()
        self.prefix = self.project.key or info.identifier
        self.head = replace(self.head, identifier=info.identifier, name=text.line(info.name, 200))
        self._claim_prefix()

    def _info(self) -> "ProjectInfo":
        info = self.run.projects.get(self.project.id)
        if info is None:
            raise BadConfig("the workspace has no such project that the token may see", _MEMBER_HINT)
        if info.archived:
            raise BadConfig("it is archived in Plane", "restore it there, or take it out of plane.projects")
        if not info.is_member:
            raise NotPermitted("the token's user is no member of it", _MEMBER_HINT)
        return info

    def _claim_prefix(self) -> None:
        """Raises BadConfig if the tickets of this project could not have names of their own."""
        if not KEY.fullmatch(f"{self.prefix}-1") or self.prefix == LOCAL:
            called = text.line(self.prefix, 40)
            raise BadConfig(f"Plane calls it {called!r}, which is no safe name for tickets", _KEY_HINT)
        owner = self.run.prefixes.setdefault(self.prefix, self.project.id)
        if owner != self.project.id:
            raise BadConfig(f"another configured project has the key {self.prefix}, too", _KEY_HINT)
        self.head = replace(self.head, key=self.prefix)

    # Items.

    def look(self, item: "Item") -> None:
        """Judge an item that moved."""
        self.run.pat()
        seen = self.known.get(item.id)
        key = self.key_of(item, seen)
        try:
            ticket = self.ticket(key)
        except BadData as error:
            if self.run.pco.spool.find(key) is not State.CORRUPT:
                self.run.put_aside(key, error)
            self.wait(item.id, key)
            return
        self.waiting.pop(item.id, None)
        if ticket and ticket.uuid == item.id:
            self._judge(item, seen, ticket)
        else:
            self._consider(item, seen, key)

    def key_of(self, item: "Item", seen: Seen | None) -> str:
        """The key of the item's ticket: once it had one, always that, for Plane lets people change the number."""
        return seen.key if seen and seen.key else f"{self.prefix}-{item.sequence_id}"

    def ticket(self, key: str) -> Ticket | None:
        """The ticket of that key.  Raises BadData if it is corrupt."""
        state = self.run.pco.spool.find(key)
        if state is State.CORRUPT:
            raise BadData("it is set aside as corrupt")
        try:
            return self.run.pco.spool.read(key) if state else None
        except KeyError:
            return None

    def with_comments(self, sight: Sight) -> Sight:
        """The sight with the item's comments."""
        remarks = self.run.plane.comments(self.project.id, sight.uuid)
        return replace(sight, comments=self.lists.comments(remarks))

    def begin(self, sight: Sight, key: str, trigger: Trigger) -> bool:
        """Make a ticket of an item, unless another item has its key: then it waits, and that is said."""
        if key in self._new or self.run.pco.spool.find(key):
            self.wait(sight.uuid, key)
            self._tell_clash(sight.uuid, key)
            return False
        path = f"{self.run.pco.config.plane.workspace}/browse/{quote(self.head.identifier, safe='')}-{sight.number}/"
        url = f"{self.run.pco.config.plane.url}/{path}"
        self._new[key] = make(sight, key, self.project.id, url, secrets.token_hex(8), trigger)
        self.remember(sight, key)
        if len(self._new) >= BATCH:
            self.flush()
        return True

    def remember(self, sight: Sight, key: str, new: bool = False) -> None:
        """The item has been judged as it is now."""
        comments = None if sight.comments is None else tuple(c.id for c in sight.comments)
        self.known.put(sight.uuid, Seen(sight.state.id, sight.updated_at, key, comments, new))

    def wait(self, uuid: str, key: str) -> None:
        """Something is in the way of judging an item: every poll looks whether it still is."""
        self.waiting[uuid] = key

    def _judge(self, item: "Item", seen: Seen | None, ticket: Ticket) -> None:
        """An item that is a ticket."""
        sight = self.lists.sight(item)
        known = ticket.plane_state.id if ticket.plane_state else ""
        idle = ticket.state in FINISHED and not effects.waits(ticket) and known == item.state
        if not idle or self.rules.triggers.comments:
            sight = self.with_comments(sight)
        now = self.run.pco.now()
        try:
            after = self.run.settle(ticket.key, lambda t: effects.judge(t, sight, seen, self.rules, now))
        except (BadData, TryLater) as error:
            self.run.pco.fail(error, ticket.key)
            self.wait(item.id, ticket.key)
            return
        self.remember(sight, ticket.key)
        if after and effects.waits(after):
            self.noted.add(after.key)

    def _consider(self, item: "Item", seen: Seen | None, key: str) -> None:
        """An item that is no ticket."""
        sight = self.lists.sight(item)
        since = self.head.since or NEVER
        trigger = triggers.arise(sight, seen, self.rules, since, self.run.pco.now())
        if trigger or (triggers.admissible(sight, self.rules) and self.rules.triggers.comments):
            sight = self.with_comments(sight)
            trigger = triggers.arise(sight, seen, self.rules, since, self.run.pco.now())
        if trigger:
            self.begin(sight, key, trigger)
            return
        new = self.rules.triggers.new_tickets and triggers.is_new(sight, seen, since) and not sight.closed
        self.remember(sight, seen.key if seen else "", new)

    # What earlier polls left to do.

    def resume(self) -> None:
        """Look again at what something was in the way of, and at tickets that may have come to their end."""
        for uuid, key in list(self.waiting.items()):
            if not self._blocked(uuid, key):
                self._look_again(uuid)
        for key in sorted(self.noted):
            self._bring_back(key)

    def _blocked(self, uuid: str, key: str) -> bool:
        try:
            ticket = self.ticket(key)
        except BadData:
            return True  # every poll says so of all of them
        if ticket is None or ticket.uuid == uuid:
            return False
        self._tell_clash(uuid, key)
        return True

    def _bring_back(self, key: str) -> None:
        """A ticket that has noted something: once it is posted or rejected, the item is judged with that."""
        try:
            ticket = self.ticket(key)
        except BadData:
            return
        if ticket and ticket.state not in FINISHED and effects.waits(ticket):
            return
        self.noted.discard(key)
        if ticket and ticket.state in FINISHED and effects.waits(ticket):
            self.noted.add(key)  # should this fail, the next poll tries again
            self._look_again(ticket.uuid)
            self.noted.discard(key)

    def _look_again(self, uuid: str) -> None:
        from pco.outside.plane import Gone

        try:
            item = self.run.plane.item(self.project.id, uuid)
        except Gone:
            self.waiting.pop(uuid, None)
            return
        self.seen.add(uuid)
        self.look(item)

    def _tell_clash(self, uuid: str, key: str) -> None:
        self.run.pco.log(
            "warning",
            f"a second item has this key ({uuid}); nothing is made of it: give it another number in Plane, "
            f"or have the first ticket dropped",
            key,
        )

    # At the end.

    def flush(self, by: str = "") -> None:
        """Make the new tickets durable; `by` is on whose word."""
        self.run.create(list(self._new.values()), by)
        self._new.clear()

    def save(self) -> None:
        """Make what is known of the items durable."""
        if not self.run.dry:
            self.known.save()

    def keep(self, **changes: Any) -> None:
        """Keep what was learned, in the order that survives a crash.  Raises OSError."""
        self.flush()
        head = replace(self.lists.kept(self.head), noted=tuple(sorted(self.noted)), waiting=self.waiting)
        spent = len(self.run.plane.calls) - self._before
        self.head = replace(head, requests=spent, tried_at=self.run.pco.now(), **changes)
        self.save()
        if not self.run.dry:
            polled.write(self.run.pco.config.paths.plane, self.head)
