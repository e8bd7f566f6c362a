"""When notices become a message, and when a message is tried again.

The first notice of an event goes out at once; what comes within `throttle` after it is put together.  A message is
begun at most TRIES times on each way, whatever is killed meanwhile; what was begun and of which no end is known may
have arrived, and is tried again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pco.ground.notice import MOST_KEYS, MOST_SHOWN, SINGLE, Delivery, Message, Notice

DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 40))  # before the second try, the third, ...
TRIES = len(DELAYS) + 1
UNWANTED = timedelta(days=1)  # after so long a notice goes that nobody wants to be told of


def due(event: str, last: Mapping[str, datetime], throttle: timedelta, now: datetime) -> bool:
    """Whether a message may be made of an event now."""
    before = last.get(event)
    return event in SINGLE or before is None or not timedelta() <= now - before < throttle


def message(id: str, marked: Iterable[tuple[str, Notice]], ways: Iterable[str], now: datetime) -> Message:
    """One message of the notices of one event, each with its mark."""
    taken = sorted(marked, key=lambda one: one[1].at)
    notices = tuple(notice for _, notice in taken)
    keys = tuple(dict.fromkeys(notice.key for notice in notices if notice.key))
    return Message(
        id=id,
        event=notices[0].event,
        at=now,
        count=len(notices),
        notices=notices[:MOST_SHOWN],
        keys=keys[:MOST_KEYS],
        of=tuple(mark for mark, _ in taken),
        ways={way: Delivery() for way in ways},
    )


def awaited(message: Message, ways: Iterable[str], now: datetime) -> list[str]:
    """The ways on which a message is to be tried now."""
    waiting = ((name, message.ways[name]) for name in ways if name in message.ways)
    return [name for name, way in waiting if way.state == "waiting" and _due(way, now)]


def _due(way: Delivery, now: datetime) -> bool:
    # A clock that was set back must not make it wait for longer than meant.
    return way.next is None or not now < way.next <= now + DELAYS[-1]


def begun(message: Message, names: Iterable[str], now: datetime) -> Message:
    """The message as it is put on disk before it is tried; one whose last try was cut off is given up."""
    ways = dict(message.ways)
    for name in names:
        tries = ways[name].tries
        if tries >= TRIES:
            ways[name] = replace(ways[name], state="given up", said=ways[name].said or "it was cut off each time")
        else:
            ways[name] = replace(ways[name], tries=tries + 1, next=now + DELAYS[min(tries, len(DELAYS) - 1)])
    return replace(message, ways=ways)


def ended(message: Message, name: str, trouble: str) -> Message:
    """The message after it was tried: arrived, to be tried again, or given up.  A trial is tried once."""
    way = message.ways[name]
    if not trouble:
        after = Delivery(way.tries, "done")
    elif way.tries >= TRIES or message.test:
        after = Delivery(way.tries, "given up", None, trouble)
    else:
        after = replace(way, said=trouble)
    return replace(message, ways={**message.ways, name: after})


def without(message: Message, ways: set[str]) -> Message:
    """The message without ways that are no more."""
    kept = {name: way for name, way in message.ways.items() if name in ways}
    return message if kept == message.ways else replace(message, ways=kept)
