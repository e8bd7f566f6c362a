"""A program of pco that waits for Plane as the simulator makes it wait: what takes fifteen seconds there takes a third.

A poll goes back behind its watermark by less than a second, not by two minutes: else it would be of no use here, where
all is over by then.

    PYTHONPATH=lib tests/faults/hurried.py pco-post -q

Only the three times that are no setting are other than in `bin/`; the rest is the real program, of whatever lib/ the
PYTHONPATH names.
"""

import sys
from datetime import timedelta

from pco import start
from pco.commands.polling import walk
from pco.outside import plane_requests

WRITE_TIMEOUT = timedelta(seconds=0.3)
FIRST_PAUSE = 0.005
OVERLAP = timedelta(seconds=0.7)  # more than lists lag, see polls.py

if __name__ == "__main__":
    plane_requests.WRITE_TIMEOUT = WRITE_TIMEOUT
    plane_requests.FIRST_PAUSE = FIRST_PAUSE
    walk.OVERLAP = OVERLAP
    sys.argv = sys.argv[1:]
    start.main(sys.argv[0].removeprefix("pco-"))
