"""The snapshot for programs: board.json, health.json and ok.json lie beside the pages.

Times are ISO 8601 with Z, money is in USD, what is not there is null.  A schema grows by new names only; `schema` is
raised where a name goes or changes its meaning.

    board.json
      schema         1
      generated_at   when all this was so            version   of pco
      status         ok or degraded, as in health.json
      counts         {STATE: how many tickets}, all nine states
      finished       [the latest 20, newest first: {key, state, title, project (UUID), round, cost_usd, finished_at}]
      tickets        [a row for each open ticket, as `pco-queue list --format json` prints it]

    health.json
      status         ok or degraded                  reasons   [why it is degraded, in words]
      notes          [what is good to know]          paused    null, or {by, at, why}
      tmux_service   running, stopped or unknown: pco-watch, which watches over the sessions
      pending_count, active_count, completed_count, counts     as in board.json
      last_poll      the last successful one, of the project that waits longest
      next_poll      when systemd will start the next one, as far as it says so
      ages           {last_poll, oldest_pending, oldest_completed, oldest_outbox}: seconds, as of generated_at
      generated_at, version

    ok.json          the same as health.json, there only while the status is ok
"""

import json
from datetime import datetime
from typing import Any

from pco.ground import times
from pco.ground.ticket import State
from pco.pages.board import MOST_RECENT
from pco.pages.snapshot import Snapshot, waiting_since
from pco.rules import secrets
from pco.spool.index import Finished

SCHEMA = 1
WATCHING = {True: "running", False: "stopped", None: "unknown"}


def board(snapshot: Snapshot, rows: list[str]) -> bytes:
    """board.json; `rows` are those of the open tickets, `written`: they are most of it, and few are new."""
    value = {
        "schema": SCHEMA,
        "generated_at": times.iso(snapshot.clock.now),
        "version": snapshot.version,
        "status": snapshot.health.status,
        "counts": _counts(snapshot),
        "finished": [_finished(done) for done in snapshot.recent[:MOST_RECENT]],
    }
    return f'{written(value)[:-1]}, "tickets": [{", ".join(rows)}]}}\n'.encode()


def health(snapshot: Snapshot) -> bytes:
    """health.json."""
    counts = _counts(snapshot)
    polled = [head.polled_at for head in snapshot.heads]
    last = min((at for at in polled if at), default=None)
    paused = snapshot.paused
    value = {
        "status": snapshot.health.status,
        "tmux_service": WATCHING[snapshot.watching],
        "pending_count": counts["pending"],
        "active_count": counts["active"],
        "completed_count": counts["completed"],
        "counts": counts,
        "reasons": list(snapshot.health.reasons),
        "notes": list(snapshot.health.notes),
        "last_poll": times.iso(last) if last else None,
        "next_poll": times.iso(snapshot.next_poll) if snapshot.next_poll else None,
        "ages": _ages(snapshot, last),
        "paused": {"by": paused.by, "at": times.iso(paused.at), "why": paused.text} if paused else None,
        "generated_at": times.iso(snapshot.clock.now),
        "version": snapshot.version,
    }
    return f"{written(value)}\n".encode()


def _ages(snapshot: Snapshot, polled: datetime | None) -> dict[str, int | None]:
    oldest = {f"oldest_{state}": since for state, since in waiting_since(snapshot.cards).items()}
    begun = {"last_poll": polled, **oldest}
    return {name: int((snapshot.clock.now - at).total_seconds()) if at else None for name, at in begun.items()}


def _counts(snapshot: Snapshot) -> dict[str, int]:
    return {state.value: snapshot.counts.get(state, 0) for state in State}


def _finished(done: Finished) -> dict[str, Any]:
    return {
        "key": done.key,
        "state": done.state,
        "title": secrets.masked(done.title),
        "project": done.project,
        "round": done.round,
        "cost_usd": done.usd,
        "finished_at": times.iso(done.at),
    }


def written(value: dict[str, Any]) -> str:
    """JSON in ASCII, without "<": no control or bidi character stands in the file, nor markup, whoever shows it raw."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")
