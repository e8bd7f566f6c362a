"""A program of pco that waits for Plane as the simulator makes it wait: what takes fifteen seconds there takes a third.

    PYTHONPATH=lib tests/faults/hurried.py pco-post -q

Only the two times that are no setting are other than in `bin/`; the rest is the real program, of whatever lib/ the
PYTHONPATH names.
"""

import sys
from datetime import timedelta

from pco import start
from pco.outside import plane_requests

WRITE_TIMEOUT = timedelta(seconds=0.3)
FIRST_PAUSE = 0.005

if __name__ == "__main__":
    plane_requests.WRITE_TIMEOUT = WRITE_TIMEOUT
    plane_requests.FIRST_PAUSE = FIRST_PAUSE
    sys.argv = sys.argv[1:]
    start.main(sys.argv[0].removeprefix("pco-"))
