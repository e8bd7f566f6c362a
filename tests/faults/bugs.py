"""Bugs to be caught, each a change or two in a copy of lib/: what the harness would miss, it must not promise."""

from dataclasses import dataclass

from faults.calls import CUT, KILL, LOST, ORDER, STOP


@dataclass(frozen=True)
class Bug:
    """In a file of lib/pco each text becomes another; playing `scene` with `fault` must find `invariant`."""

    name: str
    changes: tuple[tuple[str, str, str], ...]  # file, text, what it becomes
    scene: str
    fault: str
    invariant: str


# What an empty file is taken for.
EMPTY = (
    '{"schema": 1, "round": 1, "attempt": 1, "event": "completed", "at": "2026-11-22T12:00:00Z", '
    '"detail": {"summary": "?", "by": "agent"}}'
)

BUGS = (
    Bug(
        "no fsync",
        (("ground/durable.py", "            os.fsync(file.fileno())\n", ""),),
        "queue approve",
        ORDER,
        "order: ",
    ),
    Bug(
        "no directory fsync",
        (("spool/store.py", "        durable.sync_folder(self.root / to)\n", ""),),
        "queue approve",
        ORDER,
        "is not flushed with its folder when somebody is told",
    ),
    Bug(
        "no fsync, and the power goes",
        (("ground/durable.py", "            os.fsync(file.fileno())\n", ""),),
        "queue approve",
        CUT,
        "torn: ",
    ),
    # Any later flush would take the name along: here none comes before the word.
    Bug(
        "no directory fsync, and the power goes",
        (("ground/events.py", "        os.fsync(handle)\n", "        pass\n"),),
        "hook: /complete",
        CUT,
        "other end: WEB-1",
    ),
    Bug(
        "no fsync, and writes are lost",
        (("ground/durable.py", "            os.fsync(file.fileno())\n", ""),),
        "queue approve",
        LOST,
        "torn: ",
    ),
    Bug(
        "no directory fsync, and writes are lost",
        (("spool/store.py", "            durable.sync_folder(path.parent)\n", ""),),
        "queue drop",
        f"{LOST}.btrfs",
        "not as it was acknowledged: ",
    ),
    Bug(
        "the moved file not flushed",
        (("spool/store.py", "        durable.sync_moved(self.path(key, to))\n", ""),),
        "poll, torn record",
        f"{LOST}.btrfs",
        "two states: WEB-1",
    ),
    Bug(
        "written in place",
        (
            (
                "spool/store.py",
                'reserve.spare(self.root, lambda: os.rename(temporary, folder / f"{ticket.key}.json"))',
                '(folder / f"{ticket.key}.json").write_bytes(to_bytes(following))',
            ),
        ),
        "queue approve",
        KILL,
        "torn: ",
    ),
    Bug(
        "first looked, then locked",
        (
            (
                "spool/store.py",
                "        made = []\n        with self.lock():\n            for ticket in reversed(first.values()):\n                if self.find(ticket.key) is None:\n",
                "        made = []\n        free = {key for key in first if self.find(key) is None}\n        with self.lock():\n            for ticket in reversed(first.values()):\n                if ticket.key in free:\n",
            ),
        ),
        "queue add | queue add",
        STOP,
        "no order: ",
    ),
    Bug(
        "started before it is claimed",
        (
            (
                "commands/launch.py",
                "            claimed = claim(pco, plan.ticket, wish.limit)\n",
                "            start(pco, plan, runner)\n            claimed = claim(pco, plan.ticket, wish.limit)\n",
            ),
            ("commands/launch.py", "        start(pco, plan, runner)\n        wish.started", "        wish.started"),
        ),
        "launch",
        KILL,
        "launched twice: ",
    ),
    Bug(
        "the watermark before the tickets",
        (
            ("commands/polling/visit.py", "        self.flush()\n        head = replace(", "        head = replace("),
            (
                "commands/polling/visit.py",
                "            polled.write(self.run.pco.config.paths.plane, self.head)\n",
                "            polled.write(self.run.pco.config.paths.plane, self.head)\n        self.flush()\n",
            ),
        ),
        "poll",
        KILL,
        "other end: ",
    ),
    Bug(
        "an empty completion is one",
        (
            (
                "outside/agents/__init__.py",
                "        value = json.loads(data)\n",
                "        value = json.loads(data or b'" + EMPTY + "')\n",
            ),
            (
                "ground/events.py",
                '    temporary = os.path.join(folder, f".{name}")\n',
                '    temporary = os.path.join(folder, f"{name}.json")\n',
            ),
        ),
        "complete, by the agent",
        KILL,
        "other end: WEB-1",
    ),
    Bug(
        "recorded without reading it again",
        (
            ("spool/store.py", "            self._compare(ticket)\n            recorded", "            recorded"),
            ("spool/store.py", "            self._compare(ticket)\n            self.index", "            self.index"),
        ),
        "poll | queue hold WEB-1",
        STOP,
        "no order: ",
    ),
    Bug(
        "the flag removed after the scan",
        (
            ("commands/launch.py", '            pco.spool.control.awake("launch")  # else', "            pass  # else"),
            (
                "commands/launch.py",
                "        launch(pco, wish)\n",
                '        launch(pco, wish)\n        pco.spool.control.awake("launch")\n',
            ),
        ),
        "launch | queue approve WEB-2",
        STOP,
        "wake lost: ",
    ),
    # The bell, made right afterwards, stops a second session by chance.
    Bug(
        "the birth not checked",
        (
            (
                "ground/leavings.py",
                "    except FileExistsError:\n        return False\n    durable.sync_folder(out)",
                "    except FileExistsError:\n        pass\n    durable.sync_folder(out)",
            ),
            (
                "commands/session.py",
                '    os.mkfifo(out / "bell", 0o600)\n',
                '    with suppress(FileExistsError):\n        os.mkfifo(out / "bell", 0o600)\n',
            ),
        ),
        "session | session",
        STOP,
        "launched twice: ",
    ),
    Bug(
        "posted without its lock",
        (("commands/post.py", '    with alone(pco, "post"):\n', "    pco.service.ready()\n    if True:\n"),),
        "post | post",
        STOP,
        "posted twice: ",
    ),
)
