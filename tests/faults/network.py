"""Post and poll through a network in which three of five requests go wrong: `make faults`.

    tests/faults/network.py                          10,000 posts, 4,000 changes in Plane
    tests/faults/network.py --posts 500 --changes 100 --seed 7

Nothing may be lost, and nothing be there twice; too few faults are an error as a violation is.
"""

import argparse
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "lib")]

from faults import polls, posts  # noqa: E402
from faults.wire import Result, table  # noqa: E402

MOST_TOLD = 20


def main() -> int:
    """Run; 1 if anything was violated."""
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("--posts", type=int, default=10_000, metavar="N", help="tickets to post, half to each Plane")
    given.add_argument("--changes", type=int, default=4000, metavar="N", help="changes in Plane while it is polled")
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--workers", type=int, default=2)
    asked = given.parse_args()
    with ProcessPoolExecutor(asked.workers) as pool:
        plays: list[Future[Result]] = []
        for unique in (True, False):
            if asked.posts:
                plays.append(pool.submit(posts.play, (asked.posts + unique) // 2, unique, asked.seed))
        if asked.changes:
            plays.append(pool.submit(polls.play, asked.changes, asked.seed))
        results = [_told(play.result()) for play in as_completed(plays)]
    print(table(results))
    return 0 if all(result.good for result in results) else 1


def _told(result: Result) -> Result:
    """Say at once what was wrong, and that it has ended: all of it takes half an hour."""
    for wrong in result.wrong[:MOST_TOLD]:
        print(f"{result.name}: {wrong}")
    if result.thin:
        print(f"{result.name}: {result.thin}")
    print(f"{result.name}: {result.points} in {result.seconds:.0f} s", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
