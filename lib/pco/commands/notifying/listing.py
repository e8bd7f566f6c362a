"""`pco-notify --list`: who is told of what, on which ways, how these fare, and what waits."""

from collections import Counter
from collections.abc import Iterator

from pco.commands import notify
from pco.commands.notifying.ways import Ways
from pco.ground import text, times
from pco.ground.delivered import Way
from pco.ground.notice import EVENTS, Message
from pco.rules import wording
from pco.run import Pco
from pco.spool.notices import Outgoing


def show(pco: Pco) -> None:
    """Print it; nothing is changed."""
    ways = Ways(pco)
    for line in _ways(pco, ways):
        pco.say(line)
    for line in _waiting(pco):
        pco.say(line)
    pco.say(f"events: {', '.join(EVENTS)}")


def _ways(pco: Pco, ways: Ways) -> Iterator[str]:
    known = notify.remembered(pco).ways
    for way in ways.all:
        told = "all events" if len(way.events) == len(EVENTS) else ", ".join(way.events)
        brief = "" if way.details else ", without titles and summaries"
        yield f"{way.name}: {told}{brief}; {_fares(pco, known.get(way.name, Way()))}"
    if not ways.all:
        yield "nobody is told of anything: see the section notify of pco.yaml"
    for refused in ways.refused:
        yield f"{refused.name}: refused: {refused.why}"


def _fares(pco: Pco, way: Way) -> str:
    now = pco.now()
    arrived = f"last arrived {times.ago(way.success, now)}" if way.success else "nothing has arrived yet"
    if way.failure is None or (way.success and way.success > way.failure):
        return arrived
    return f"{arrived}; failed {times.ago(way.failure, now)}: {text.line(way.said, 200)}"


def _waiting(pco: Pco) -> Iterator[str]:
    outgoing = Outgoing(pco.config.paths.spool, None)
    left = Counter(notice.event for _, notice in [*outgoing.waiting(), *outgoing.taken()])
    for event, number in sorted(left.items()):
        yield f"waits: {event}: {text.count(number, 'notice')}"
    for message in outgoing.messages():
        yield f"under way: {wording.headline(message)}: {_under_way(pco, message)}"


def _under_way(pco: Pco, message: Message) -> str:
    said = []
    for name, way in sorted(message.ways.items()):
        again = f", again {times.ago(way.next, pco.now())}" if way.next and way.state == "waiting" else ""
        trouble = f" ({text.line(way.said, 100)})" if way.said else ""
        said.append(f"{name} {way.state} after {way.tries} tries{again}{trouble}")
    return "; ".join(said)
