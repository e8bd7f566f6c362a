"""A person's word on a box."""

from pco.commands.queue.holding import moment
from pco.ground import attested, text, times
from pco.ground.attested import Word
from pco.ground.errors import BadData, NotPermitted, SystemFault
from pco.run import Pco

MOST_NOTE = 500


def attest(pco: Pco, id: str, note: str, until: str) -> None:
    """Keep it, and audit it.  Raises BadData, NotPermitted, SystemFault."""
    from pco.checks import all_checks
    from pco.checks.boxes import BY_ID

    box = BY_ID.get(id)
    if box is None:
        raise BadData(f"there is no box {text.line(id, 20)}{text.meant(id, list(BY_ID))}", "pco-doctor -v lists them")
    if box.kind in ("B", "R") and id not in all_checks():
        raise BadData(f"{id} needs nobody's word: {box.answer}")
    said = text.line(note, MOST_NOTE).strip()
    if not said:
        raise BadData("the note is empty: say what holds, and who said so")
    now = pco.now()
    end = moment(pco, until) if until else None
    attested.write(pco.config.paths.audit, Word(id, pco.who, now, said, end))
    ends = f", until {times.iso(end)}" if end else ""
    pco.announce("attested", None, {"box": id, "note": said, "until": times.iso(end) if end else ""})
    pco.say(f"{id} {box.asks}: attested by {pco.who}{ends}")


def saw(pco: Pco, id: str, note: str, *, good: bool) -> None:
    """Keep, and audit, what pco-doctor itself has seen of a box; said if it cannot be kept."""
    try:
        attested.write(pco.config.paths.audit, Word(id, "pco-doctor", pco.now(), text.line(note, MOST_NOTE), good=good))
    except (NotPermitted, SystemFault) as error:
        pco.fail(type(error)(f"{id}: the result is not kept: {error}", error.hint))
        return
    pco.announce("attested", None, {"box": id, "note": text.line(note, MOST_NOTE), "good": "yes" if good else "no"})
