"""That pco is no longer well, or well again, becomes a notice for people."""

from pco.rules import notices
from pco.rules.health import Health
from pco.run import Pco


def tell(pco: Pco, judged: Health) -> None:
    """Leave a notice if there is news, then remember it: who is killed in between leaves it once more."""
    control = pco.spool.control
    before = control.health()
    after, notice = notices.of_health(judged, before, pco.now())
    if notice and not pco.leave(notice.event.replace(" ", "-"), notice):
        return
    if after != before:
        try:
            control.set_health(after)
        except OSError as error:
            pco.log("warning", f"what was told of pco's health is not remembered: {error.strerror}")
