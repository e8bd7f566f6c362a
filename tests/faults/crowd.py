"""Let eight admins, and two of each program of pco, go at the same tickets at once: `make faults`.

    tests/faults/crowd.py                      1,000 tickets
    tests/faults/crowd.py --tickets 60 --seed 7

All admins go through the tickets in the same order, some at a time, each with whatever verb comes to his mind.  In
the end each ticket is in one state, the way of each is one unbroken chain, no session was started twice, no comment is
in Plane twice, and the audit record is whole and has every move that anybody was told of.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
LIB = Path(os.environ.get("PCO_FAULTS_LIB", TOP / "lib"))
sys.path[:0] = [str(TOP / "tests"), str(LIB)]

from faults import forked  # noqa: E402
from faults.wire import scratch  # noqa: E402
from pco.ground import yamlfile  # noqa: E402
from pco.ground.ticket import Approval, State  # noqa: E402
from pco.rules import prompt  # noqa: E402
from pco.spool import Spool  # noqa: E402
from programs.posting import Desk, desk  # noqa: E402
from support import Site, laid_out, put  # noqa: E402

ADMINS = [f"admin{n}" for n in range(1, 9)]
MANY = 200  # so many tickets, and each verb is done to one of them
BITE = 6  # tickets that an admin names at a time
VERBS = {
    "approve": 6,
    "unapprove": 2,
    "reject": 2,
    "reopen": 3,
    "hold": 2,
    "release": 3,
    "post": 6,
    "recall": 2,
    "rework": 2,
    "retry": 4,
}
AFTER = {"post": ["--yes"], "rework": ["The tests are missing."], "hold": ["--until", "1s"]}
BEGUN = {State.PENDING: 45, State.APPROVED: 10, State.COMPLETED: 30, State.OUTBOX: 5, State.FAILED: 8, State.POSTED: 5}
MOVED = re.compile(r"^(?P<key>[A-Z]+-\d+): (?P<from>[a-z]+) -> (?P<to>[a-z]+)", re.M)
TMUX = """#!/bin/sh
for word; do case "$word" in
list-sessions) echo 'no server running' >&2; exit 1;;
new-session) printf '%s\\n' "$*" >> {started}; exit 0;;
esac; done
"""


@dataclass(frozen=True)
class Said:
    """What one run of a program said: the moves that it acknowledged, and how it ended."""

    who: str
    words: tuple[str, ...]
    code: int
    moves: tuple[tuple[str, str, str], ...]
    err: str


@dataclass
class Result:
    """What came of it."""

    tickets: int
    runs: int = 0
    moves: int = 0
    refused: int = 0
    launched: int = 0
    posted: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0.0
    done: set[str] = field(default_factory=set)  # verbs of which one was acknowledged
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was violated, and there was a crowd."""
        enough = min(self.moves, self.refused, self.launched, self.posted) > 0
        return not self.wrong and enough and (self.done >= VERBS.keys() or self.tickets < MANY)

    def table(self) -> str:
        """The table for people."""
        from tabulate import tabulate

        heads = ["HARNESS", "TICKETS", "RUNS", "MOVES", "REFUSED", "LAUNCHED", "POSTED"]
        heads += ["LOST", "DOUBLED", "VIOLATIONS", "SECONDS"]
        numbers = [self.tickets, self.runs, self.moves, self.refused, self.launched, self.posted]
        row = ["crowd", *numbers, self.lost, self.doubled, len(self.wrong), f"{self.seconds:.0f}"]
        return tabulate([row], headers=heads)


def play(tickets: int, seed: int) -> Result:
    """Have a crowd go at so many tickets."""
    begun, result = time.monotonic(), Result(tickets)
    with scratch("crowd") as folder:
        site = laid_out(folder / "pco")
        with desk(site, items=tickets, race=0.001) as made:
            _furnish(made, folder, tickets, random.Random(seed))
            said = _crowd(site, folder, tickets, seed)
            _judge(result, made, said, folder / "started")
    result.seconds = time.monotonic() - begun
    return result


def _furnish(made: Desk, folder: Path, tickets: int, dice: random.Random) -> None:
    """Tickets in all states, with the last poll just done, and a repository; sessions that are started do nothing."""
    site = made.site
    web = folder / "web"
    web.mkdir()
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
    for args in (("init", "-q", "--template="), ("commit", "-q", "--allow-empty", "-m", "First")):
        subprocess.run(["git", *who, *args], cwd=web, check=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "tmux").write_text(TMUX.format(started=folder / "started"))
    (folder / "bin" / "tmux").chmod(0o755)
    (folder / "started").touch()
    limits = {"runner": "tmux", "command": ["sleep", "60"], "limit": 10_000, "per_project": 10_000}
    site.configure(
        plane={"settle": "200ms", "projects": [{"id": made.project, "repository": str(web)}]}, sessions=limits
    )
    done = site.run("pco-poll", env={**site.environment(), "INVOCATION_ID": "0"}, code=None)
    assert not done.returncode, done.stderr
    config, spool = yamlfile.load(site.config), site.spool()
    states = dice.choices(list(BEGUN), list(BEGUN.values()), k=tickets)
    for n, state in enumerate(states, 1):
        ticket = made.ticket(f"WEB-{n}", State.PENDING)
        spool.path(ticket.key, State.PENDING).unlink()
        ticket = replace(ticket, history=())
        if state not in (State.OUTBOX, State.POSTED):
            ticket = ticket.with_round(post=None)
        if state in (State.PENDING, State.APPROVED):
            ticket = ticket.with_round(summary="")
        if state is State.APPROVED:
            hash = prompt.content_hash(ticket, prompt.target(ticket, config))
            ticket = ticket.with_round(approval=Approval("ann", datetime.now(UTC), hash))
        put(spool, ticket, state)


def _crowd(site: Site, folder: Path, tickets: int, seed: int) -> list[Said]:
    """All of them at once: eight admins, and two of each program as long as they are there."""
    environ = {**site.environment(), "INVOCATION_ID": "0", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    with _services(environ, folder), ProcessPoolExecutor(len(ADMINS), forked.context()) as pool:
        tasks = [pool.submit(_admin, name, environ, folder, tickets, f"{seed}{name}") for name in ADMINS]
        said = [one for task in tasks for one in task.result()]
    # Whatever still waits is taken by one more run of each.
    for program in ("pco-launch", "pco-post", "pco-poll"):
        said.append(_run(program, (program, "-q"), environ, folder))
    return said + [
        Said(**json.loads(line)) for path in folder.glob("service.*") for line in path.read_text().splitlines()
    ]


@contextmanager
def _services(environ: dict[str, str], folder: Path) -> Iterator[None]:
    context = forked.context()
    over = context.Event()
    names = ["pco-launch", "pco-poll", "pco-post"] * 2
    running = [context.Process(target=_service, args=(name, n, environ, folder, over)) for n, name in enumerate(names)]
    for one in running:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in running:
            one.join()


def _service(program: str, n: int, environ: dict[str, str], folder: Path, over: Any) -> None:
    with (folder / f"service.{n}").open("w") as file:
        while not over.wait(0.05):
            file.write(json.dumps(vars(_run(f"{program} {n}", (program, "-q"), environ, folder))) + "\n")


def _admin(name: str, environ: dict[str, str], folder: Path, tickets: int, seed: str) -> list[Said]:
    """One admin's day."""
    dice, found = random.Random(seed), list[Said]()
    keys = [f"WEB-{n}" for n in range(1, tickets + 1)]
    for at in range(0, len(keys), BITE):
        verb = dice.choices(list(VERBS), list(VERBS.values()))[0]
        words = ("pco-queue", verb, *keys[at : at + BITE], *AFTER.get(verb, ()))
        found.append(_run(name, words, {**environ, "SUDO_USER": name}, folder))
    return found


def _run(who: str, words: tuple[str, ...], environ: dict[str, str], folder: Path) -> Said:
    ended = forked.run(words, environ, folder)
    moves = tuple((m["key"], m["from"], m["to"]) for m in MOVED.finditer(ended.out))
    return Said(who, words, ended.code, moves, ended.err)


def _judge(result: Result, made: Desk, said: list[Said], started: Path) -> None:
    site, spool = made.site, made.site.spool()
    keys = {f"WEB-{n}" for n in range(1, result.tickets + 1)}
    result.runs = len(said)
    for one in said:
        result.refused += one.code == 65
        if one.moves or (one.code == 0 and one.words[1] in ("hold", "release")):
            result.done.add(one.words[1])
        if "Traceback" in one.err or one.code not in (0, 65, 75):
            result.wrong.append(f"{one.who}: {' '.join(one.words)} ended with {one.code}: {one.err[-400:]}")
    _one_state(result, spool, keys)
    audited = _audited(result, site)
    told = Counter((key, from_, to) for one in said for key, from_, to in one.moves)
    result.moves = told.total()
    for move, number in (told - Counter(move for moves in audited.values() for move in moves)).items():
        result.lost += number
        result.wrong.append(f"lost: {move} was acknowledged, and is not in the audit record")
    for key in sorted(keys & set(spool.keys(*State))):
        ticket = spool.read(key)
        way = [(key, entry.from_, entry.to) for entry in ticket.history]
        if any(one[2] != other[1] for one, other in pairwise(way)) or way[-1][2] != ticket.state:
            result.wrong.append(f"the way of {key} is broken: {way}")
        if Counter(way[1:]) != Counter(audited.get(key, [])):
            result.wrong.append(f"{key} went {way[1:]}, and the audit record says {audited.get(key, [])}")
    _launched(result, spool, started)
    _posted(result, made)


def _one_state(result: Result, spool: Spool, keys: set[str]) -> None:
    found = Counter(path.stem for state in State for path in (spool.root / state).glob("*.json"))
    for key in sorted(keys - found.keys()):
        result.lost += 1
        result.wrong.append(f"lost: {key}")
    for key, number in found.items():
        if number > 1 or key not in keys:
            result.doubled += 1
            result.wrong.append(f"doubled: {key} is in {number} states")
    for path in [*(spool.root / State.CORRUPT).iterdir(), *(spool.root / "tmp").iterdir()]:
        result.wrong.append(f"left behind: {path.relative_to(spool.root)}")


def _audited(result: Result, site: Site) -> dict[str, list[tuple[str, str, str]]]:
    """The moves of each ticket in the audit record, which must be whole."""
    verified = site.run("pco-audit", "verify", "--no-journal", code=None)
    if verified.returncode:
        result.wrong.append(f"the audit record: {verified.stdout}{verified.stderr}")
    found: dict[str, list[tuple[str, str, str]]] = {}
    for path in sorted((site.home / "audit").glob("*.jsonl")):
        for record in map(json.loads, path.read_text().splitlines()):
            if record["event"] == "moved":
                move = (record["key"], record["fields"]["from"], record["fields"]["to"])
                found.setdefault(record["key"], []).append(move)
    return found


def _launched(result: Result, spool: Spool, started: Path) -> None:
    """No session twice, and none without its claim."""
    lines = [re.search(r"/([A-Z]+-\d+)/(\d+\.\d+)", line) for line in started.read_text().splitlines()]
    sessions = Counter((m[1], m[2]) for m in lines if m)
    result.launched = sessions.total()
    if len(lines) != result.launched:
        result.wrong.append(f"{started} cannot be read")
    for (key, attempt), number in sessions.items():
        if number > 1:
            result.doubled += 1
            result.wrong.append(f"doubled: {key} {attempt} was started {number} times")
    claimed = {
        (ticket.key, f"{round.n}.{attempt.n}")
        for ticket in spool.tickets(*State)
        for round in ticket.rounds
        for attempt in round.attempts
    }
    for key, attempt in claimed ^ sessions.keys():
        result.lost += 1
        result.wrong.append(f"lost: the session {attempt} of {key} was claimed or started, not both")


def _posted(result: Result, made: Desk) -> None:
    comments = Counter(row["external_id"] for row in made.plane.rows("comments"))
    result.posted = comments.total()
    for id, number in comments.items():
        if number > 1:
            result.doubled += 1
            result.wrong.append(f"doubled: the comment {id} is there {number} times")


def main() -> int:
    """Run; 1 if anything was violated."""
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("--tickets", type=int, default=1000, metavar="N")
    given.add_argument("--seed", type=int, default=1)
    asked = given.parse_args()
    result = play(asked.tickets, asked.seed)
    for wrong in result.wrong[:20]:
        print(wrong)
    if missing := VERBS.keys() - result.done:
        print(f"nobody could {', '.join(sorted(missing))}")
    print(result.table())
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
