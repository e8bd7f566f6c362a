"""Have Lighthouse score a page of every kind, through the installed nginx over TLS, as on a phone: `make lighthouse`.

It prints what each page got of 100 and what cost it points, and ends with 1 if a page has less than it must.
"""

import json
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "system"), str(TOP / "tests"), str(TOP / "lib")]

from exhibited import ADDRESS, exhibited  # noqa: E402
from tabulate import tabulate  # noqa: E402

MODULES = "build/lighthouse"
# A page's speed is measured on a machine that may be busy; the two others are as they are.
LEAST = {"performance": 0.9, "accessibility": 1.0, "best-practices": 1.0}


def main() -> int:
    """Score; 1 if a page has less than it must."""
    with exhibited(f"l{os.getpid()}") as (host, pages):
        argv = ["node", "/src/tests/browser/score.mjs", f"/src/{MODULES}", ADDRESS, *pages]
        found = json.loads(host.exec(*argv, timeout=1800).stdout)
    rows = []
    for path, page in found.items():
        scores = [round(100 * (page["scores"][name] or 0)) for name in LEAST]
        rows.append([path, *scores, page["error"] or "; ".join(page["poor"])])
    print(tabulate(rows, headers=["PAGE", *(name.upper() for name in LEAST), "WHAT COST POINTS"]))
    good = all((page["scores"][name] or 0) >= least for page in found.values() for name, least in LEAST.items())
    return 0 if good and found else 1


if __name__ == "__main__":
    sys.exit(main())
