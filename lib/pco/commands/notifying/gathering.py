"""What waits becomes messages: take the notices whose time has come, put them together, write them down."""

import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from pco.commands.notifying.ways import Ways
from pco.ground import text
from pco.ground.delivered import Delivered
from pco.ground.notice import SINGLE, Message, Notice
from pco.rules import delivery, wording
from pco.run import Pco
from pco.spool.notices import Outgoing, mark

Marked = list[tuple[str, Notice]]


def gather(pco: Pco, outgoing: Outgoing, ways: Ways, known: Delivered) -> Delivered:
    """Make messages of all notices that are due.  Killed anywhere in it, the next run goes on: none is lost or doubled.

    A notice is claimed by a rename, and goes once a message that names it is on disk.
    """
    now = pco.now()
    written = {name for message in outgoing.messages() for name in message.of}
    for name, notice in list(outgoing.taken()):
        if mark(name, notice) in written:
            outgoing.release(name)
    for event, names in _waiting(outgoing, ways, now).items():
        if delivery.due(event, known.last, pco.config.notify.throttle, now):
            for name in names:
                outgoing.claim(name)
    taken: Mapping[str, Marked] = defaultdict(list)
    for name, notice in outgoing.taken():
        taken[notice.event].append((name, notice))
    parts = [(event, part) for event, found in taken.items() for part in _parts(event, found)]
    for n, (event, part) in enumerate(parts):
        outgoing.keep(_message(f"{now:%Y%m%dT%H%M%S%f}-{n:05d}-{secrets.token_hex(4)}", part, ways, now))
        for name, _ in part:
            outgoing.release(name)
        known = known.made(event, now)
    return known


def _parts(event: str, found: Marked) -> list[Marked]:
    """What becomes one message each."""
    found = sorted(found, key=lambda one: one[1].at)
    return [[one] for one in found] if event in SINGLE else [found]


def _waiting(outgoing: Outgoing, ways: Ways, now: datetime) -> dict[str, list[str]]:
    """The names of the notices that somebody wants, by event; what nobody wants stays for a day, then goes."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, notice in outgoing.waiting():
        if ways.of(notice.event) or notice.event == "test":
            found[notice.event].append(name)
        elif now - notice.at > delivery.UNWANTED:
            outgoing.drop(name)
    return found


def _message(id: str, part: Marked, ways: Ways, now: datetime) -> Message:
    """The message of these notices.  A trial says of which event it is one."""
    marked = [(mark(name, notice), notice) for name, notice in part]
    name, first = part[0]
    if first.event != "test":
        return delivery.message(id, marked, [way.name for way in ways.of(first.event)], now)
    event = first.fields.get("as", "test")
    tried = wording.sample(event if event in wording.ONE else "test", first.at, first.fields.get("by", "somebody"))
    made = delivery.message(id, [(marked[0][0], tried)], [way.name for way in ways.of(tried.event)], now)
    return replace(made, test=text.line(name, 100))
