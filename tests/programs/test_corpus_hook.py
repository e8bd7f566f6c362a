"""All that means harm (tests/corpus.py) in what Claude Code tells pco-hook, and in the event files that pco-watch reads."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

import corpus
import inprocess
from pco.commands.watching.desk import Desk
from pco.commands.watching.ears import Ear
from pco.ground import boot, events
from pco.ground.ticket import State
from pco.outside.agents.claude.transcript import Ledger
from pco.outside.runners import RunnerSession
from pco.outside.runners.tmux import Tmux
from pco.rules import supervision
from pco.rules.hearing import Heard
from pco.run import Pco
from sessions import Yard, a_mirror, born
from support import a_ticket, in_memory, laid_out

KEY = "WEB-12"
MARK = "/dev/shm/pco-corpus-ran"
TEXTS = [corpus.marked(text, MARK) for text in corpus.ALL]
# What Claude Code tells, with a text wherever somebody else has a say in it.
TOLD: dict[str, Any] = {
    "SessionStart": lambda t: {"source": t, "model": t, "transcript_path": t, "session_id": t},
    "SessionEnd": lambda t: {"reason": t},
    "UserPromptSubmit": lambda t: {"prompt": t, "tool_name": t},
    "PostToolUse": lambda t: {"tool_name": t, "tool_input": {t: t}, "tool_response": t},
    "PermissionRequest": lambda t: {"tool_name": t, "tool_input": {t: t, "command": t}},
    "Notification": lambda t: {"notification_type": "permission_prompt", "message": t},
    "StopFailure": lambda t: {"error": t, "last_assistant_message": t},
    "Stop": lambda t: {"last_assistant_message": t},
    "UserPromptExpansion": lambda t: {"command_name": "complete", "command_args": t},
}
ASKED = {"tool_name": "AskUserQuestion"}


class Session:
    """A session's folder, and what is heard of it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "1.1"
        self.out = self.home / "out"
        (self.out / "events").mkdir(parents=True)
        os.mkfifo(folder / "trigger")
        launch = {"key": KEY, "out": str(self.out), "round": 1, "attempt": 1, "trigger": str(folder / "trigger")}
        more = dict.fromkeys(("workspace", "mirror", "base", "branch", "prompt"), "/x")
        (self.home / "launch.json").write_text(json.dumps({**launch, **more, "argv": []}))
        self.watch = Pco("pco-watch")
        self.watch.config_file, self.watch.loudness = str(folder / "none.yaml"), 1

    def told(self, given: bytes, *more: str) -> dict[str, Any] | None:
        """One call of the hook; returns what Claude Code is answered."""
        said = inprocess.hook(KEY, self.home, given, *more)
        assert said.code == 0 and said.err == ""
        assert not corpus.unseen(said.out)
        return json.loads(said.out) if said.out.startswith("{") else None

    def tell(self, name: str, **given: Any) -> dict[str, Any] | None:
        """One event."""
        return self.told(json.dumps({"hook_event_name": name, **given}).encode())

    def heard(self) -> Heard:
        """What pco-watch makes of all that was told; afterwards nothing was."""
        ear = Ear(self.home, 1, 1, lambda message: self.watch.log("warning", message, KEY))
        seen = ear.look(True, boot.boot_id(), boot.clock())
        shutil.rmtree(self.out)
        (self.out / "events").mkdir(parents=True)
        return seen.heard

    def trouble(self) -> str:
        """What the hook could not do."""
        path = self.out / "trouble"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module", autouse=True)
def nothing_runs() -> Iterator[None]:
    """Of none of the texts anything is executed."""
    yield
    assert not Path(MARK).exists()


@pytest.fixture
def session() -> Iterator[Session]:
    """One that was launched."""
    with in_memory() as folder:
        yield Session(folder)


def clean(heard: Heard) -> None:
    """Nothing that was heard could move a terminal, or is longer than a record shall be."""
    for field in fields(heard):
        value = getattr(heard, field.name)
        for words in [value] if isinstance(value, str) else []:
            assert not corpus.unseen(words), field.name
            assert len(words) <= (256 << 10 if field.name in ("summary", "said") else 600), field.name
            assert "\n" not in words or field.name in ("summary", "said")
    for blocked in heard.blocked:
        assert not corpus.unseen(blocked.what) and "\n" not in blocked.what and len(blocked.what) <= 200


def test_whatever_claude_code_tells_of_a_session_becomes_clean_words_and_fits_the_record(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in TEXTS:
        for name, given in TOLD.items():
            answer = session.tell(name, **given(text))
            assert name != "UserPromptExpansion" or (answer and answer["decision"] == "block")
            assert not session.trouble()
        heard = session.heard()
        clean(heard)
        assert heard.started and heard.blocked and heard.doing
        supervision.noted(a_ticket(KEY), supervision.Seen("x", 1.0, True, heard=heard))
    assert capsys.readouterr() == ("", "")


def test_what_it_asks_a_person_for_stands_in_the_record_as_one_clean_line(session: Session) -> None:
    shown = 0
    for text in TEXTS:
        words = text.replace(corpus.ESC, "").strip()[:20]
        for given in (
            {**ASKED, "tool_input": {"questions": [{"question": text, "header": text, "options": [text]}]}},
            {"tool_name": "Bash", "tool_input": {"command": text}},
            {"tool_name": text, "tool_input": {"questions": text}},
        ):
            session.tell("PermissionRequest", **given)
            heard = session.heard()
            clean(heard)
            (blocked,) = heard.blocked
            shown += bool(words) and words in blocked.what
    assert shown > 2 * len(TEXTS)


def test_a_hook_takes_whatever_stands_in_place_of_an_event_and_says_what_is_wrong(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in TEXTS:
        raw = text.encode("utf-8", "surrogateescape" if "\udcff" in text else "replace")
        for given in (
            raw,
            json.dumps(text).encode(),
            json.dumps([text]).encode(),
            json.dumps({"hook_event_name": text, "reason": text}).encode(),
            json.dumps({text: text}).encode(),
            b'{"hook_event_name": "Stop", "last_assistant_message": "' + raw + b'"}',
        ):
            session.told(given)
        session.told(raw, "status")
        session.told(json.dumps({"session_id": text, "cost": {"total_cost_usd": text}}).encode(), "status")
        assert "Error" in session.trouble()
        clean(session.heard())
    said = capsys.readouterr().err
    assert "a hook of its agent: " in said and not corpus.unseen(said)


def test_an_event_file_is_read_as_it_is_meant_or_passed_over_with_its_reason(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ["launched", "started", "working", "turn_ended", "turn_failed", "blocked", "idle", "ended", "completed"]
    names = ["what", "error", "session", "transcript", "afresh", "warning", "last", "given", "summary", "by", "tool"]
    for n, text in enumerate(TEXTS):
        for kind in kinds:
            events.write(str(session.out), 1, 1, kind, {**dict.fromkeys(names, text), text: text})
        clean(session.heard())
        assert capsys.readouterr().err == ""
        raw = text.encode("utf-8", "surrogateescape" if "\udcff" in text else "replace")
        good = {"schema": 1, "round": 1, "attempt": 1, "event": "blocked", "at": "2026-11-22T12:00:00Z", "detail": {}}
        (session.out / "events" / "1-1.json").write_bytes(raw)
        for m, name in enumerate([*good, text], 2):
            (session.out / "events" / f"{m}-1.json").write_text(json.dumps({**good, name: text}))
        (session.out / "events" / "99-1.json").write_text(json.dumps(good))
        for name in ("exit", "birth", "account", "screen", "life", "result", "trouble"):
            (session.out / name).write_bytes(raw)
        heard = session.heard()
        clean(heard)
        assert len(heard.blocked) == 1, n
        said = capsys.readouterr().err
        assert f"{KEY}: passed over: " in said and not corpus.unseen(said)


def test_what_a_session_says_that_it_costs_is_a_number_or_passed_over(session: Session) -> None:
    ledger = Ledger(session.home / "claude", session.out)
    for text in TEXTS:
        raw = text.encode("utf-8", "replace")
        told = {"session": text, "session_id": text, "last": text, "before": text, "base": text, "total_cost_usd": text}
        for data in (raw, json.dumps(text).encode(), json.dumps(told).encode(), b'{"last": ' + raw + b"}"):
            for name in ("usd", "result"):
                (session.out / name).write_bytes(data[:4096] if name == "usd" else data)
        assert ledger.account() is not None


@pytest.fixture
def yard() -> Iterator[Yard]:
    """Sessions that do nothing by themselves, one for each kind of text, where flushing costs nothing."""
    with in_memory() as folder:
        site = laid_out(folder / "pco")
        site.configure(sessions={"runner": "tmux", "start_within": "10m", "turn_failed_after": "1h"})
        run = site.home / "run"
        tmux = Tmux(run / "tmux.sock", run / "trigger")
        made = Yard(site, a_mirror(folder / "mirror.git"), tmux, folder / "watch.log", [])
        for n in range(len(corpus.KINDS)):
            made.claim(f"WEB-{n + 1}", born=True)
            born(made.out(f"WEB-{n + 1}"))
            tmux.start(RunnerSession(f"WEB-{n + 1}", ("sleep", "1000"), {}))
        yield made
        made.close()


def test_an_agent_that_waits_with_harmful_words_is_logged_listed_and_told_of_cleanly(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [[corpus.marked(text, MARK) for text in texts] for texts in corpus.KINDS.values()]
    pco = Pco("pco-watch")
    pco.config_file, pco.loudness = str(yard.site.config), 1
    desk = Desk(pco, yard.tmux, lambda: None)
    for texts in zip_longest(*kinds):
        for n, text in enumerate(texts, 1):
            if text is not None:
                events.write(str(yard.out(f"WEB-{n}")), 1, 1, "blocked", {"what": text})
        desk.scan(lambda: False)
        notices = list((yard.site.home / "spool" / "notify").glob("blocked-*.json"))
        assert len(notices) == sum(text is not None for text in texts)
        for notice in notices:
            told = json.loads(notice.read_text("ascii"))["fields"]
            assert not corpus.unseen(told["title"] + told.get("what", ""))
        for n in range(1, len(texts) + 1):
            events.write(str(yard.out(f"WEB-{n}")), 1, 1, "working", {})
        desk.scan(lambda: False)
    waited = [len(yard.ticket(f"WEB-{n}").round.blocked) for n in range(1, len(kinds) + 1)]
    assert waited == [len(texts) for texts in kinds]
    said = capsys.readouterr()
    assert said.out == "" and said.err.count(": blocked") == said.err.count(": unblocked") == len(corpus.ALL)
    assert not corpus.unseen(said.err)
    for words in (["list"], ["list", "--format", "json"], ["show", *yard.site.spool().keys(State.ACTIVE)]):
        shown = inprocess.run(yard.site.config, "queue", *words)
        assert shown.code == 0 and not corpus.unseen(shown.out + shown.err), words
