"""Tell pco what happens in a Claude Code session: run by that as its hook, never by a person.

The event comes as JSON on standard input; KEY and HOME, the attempt's folder, are arguments, for a repository could
change the environment.  One event file is left and one byte rung.  `/complete SUMMARY` is taken here, without asking
the model; comments that a person forwards are handed over when a turn ends.  With `status` it draws the status line,
with `check` it tries whether it could do all this.  It never fails: what goes wrong stands in out/trouble, and
pco-watch says it.

Only json, os, sys and time are imported, and what imports no more, not even typing: the agent waits for this.
"""

from __future__ import annotations

import json
import os
import sys

from pco.ground import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HELP = """Usage: pco-hook KEY HOME [status|check]

Tell pco what happens in a Claude Code session.

The hook's JSON comes on standard input.  KEY is the ticket, HOME the folder of the attempt.

Examples:
  pco-hook WEB-12 /var/lib/pco/sessions/WEB-12/1.1           as settings.json has it run for each event
  pco-hook WEB-12 /var/lib/pco/sessions/WEB-12/1.1 check     could it tell?  exit 1 if not
"""
MOST_SUMMARY = 256 << 10  # as ground.leavings has it
MOST_WORDS = 64 << 10  # of the agent's last message
MOST_TROUBLE = 64 << 10
QUIET = 5.0  # seconds in which one sign of work is enough
TURN = "\n\n"
SPOKEN = (
    "Stop",
    "StopFailure",
    "PermissionRequest",
    "Notification",
)  # what it says there is told on: draft, log, notice


class Attempt:
    """Where this session is: HOME's launch.json says so."""

    def __init__(self, key: str, home: str) -> None:
        self.key = key
        self.home = home
        with open(os.path.join(home, "launch.json"), encoding="utf-8") as file:
            launch = json.load(file)
        self.out: str = launch["out"]
        self.round: int = launch["round"]
        self.number: int = launch["attempt"]
        self._trigger: str = launch["trigger"]
        if launch["key"] != key:
            raise ValueError(f"{home} is the folder of {launch['key']}, not of {key}")

    def tell(self, event: str, **detail: Any) -> None:
        """Leave an event, and ring: pco-watch, and the session itself, which looks at its screen then."""
        events.write(self.out, self.round, self.number, event, detail)
        self.ring()

    def ring(self) -> None:
        """One byte for each who listens."""
        events.ring(self._trigger)
        events.ring(self.path("bell"))

    def path(self, name: str) -> str:
        """A file in out/."""
        return os.path.join(self.out, name)

    def trouble(self, message: str) -> None:
        """Note what went wrong, for pco-watch to say."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            handle = os.open(self.path("trouble"), flags, 0o644)
            try:
                if os.fstat(handle).st_size < MOST_TROUBLE:
                    os.write(handle, f"{' '.join(message.split())[:500]}\n".encode("utf-8", "replace"))
            finally:
                os.close(handle)
        except OSError:
            pass
        self.ring()


def main() -> int:
    """Run; the exit code is 0, but for `check`."""
    given = sys.argv[1:]
    if given[:1] in (["--help"], ["-h"]):
        sys.stdout.write(HELP)
        return 0
    if given[:1] in (["--version"], ["-V"]):
        from pco import __version__

        sys.stdout.write(f"pco-hook {__version__}\n")
        return 0
    if len(given) not in (2, 3) or (len(given) == 3 and given[2] not in ("status", "check")):
        sys.stderr.write("Usage: pco-hook KEY HOME [status|check]\nTry pco-hook --help; --version says which it is.\n")
        return 2
    what = given[2] if len(given) == 3 else ""
    try:
        attempt = Attempt(given[0], given[1])
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"pco-hook: {error}\n")
        return 1 if what == "check" else 0
    if what == "check":
        return 0 if os.access(attempt.path("events"), os.W_OK) else 1
    answer = heard(attempt, what)
    if answer is not None:
        sys.stdout.write(answer)
    return 0


def heard(attempt: Attempt, what: str) -> str | None:
    """Take in what came on standard input; returns what is to be printed."""
    said: dict[str, Any] = {}
    try:
        data = sys.stdin.buffer.read()
        said = json.loads(data)
        if what == "status":
            return status(attempt, said)
        if said["hook_event_name"] in SPOKEN:
            said = json.loads(without_login(data))
        answer = take(attempt, said)
        return None if answer is None else json.dumps(answer)
    except Exception as error:  # noqa: BLE001 - whatever it is: the agent goes on, and a person hears of it
        name = said.get("hook_event_name", what or "event") if isinstance(said, dict) else "event"
        problem = f"{name}: {type(error).__name__}: {error}"
        attempt.trouble(problem)
        if name == "UserPromptExpansion":
            return json.dumps({"decision": "block", "reason": f"pco could not take the summary: {problem}"})
        return None if what == "status" else json.dumps({"systemMessage": f"pco-hook: {problem}"})


def without_login(data: bytes) -> bytes:
    """What came, with the session's own login masked: before it is cut, for half of one is not found."""
    from pco.ground import credentials  # not loaded for each call of a tool

    for kind, value in credentials.given(os.environ):
        data = data.replace(json.dumps(value)[1:-1].encode(), f"({kind})".encode())
    return data


def take(attempt: Attempt, said: dict[str, Any]) -> dict[str, Any] | None:
    """One event; returns what the agent is answered."""
    name = said["hook_event_name"]
    if name == "UserPromptExpansion":
        return complete(attempt, said)
    if name == "Stop":
        return stop(attempt, said)
    if name == "SessionStart":
        started(attempt, said)
    elif name == "SessionEnd":
        if said.get("reason") not in ("clear", "resume"):
            attempt.tell("ended", reason=_word(said.get("reason")))
    elif name == "StopFailure":
        rest(attempt)
        attempt.tell("turn_failed", error=_failure(said), last="")
    elif name == "PermissionRequest":
        mark(attempt, True)
        attempt.tell("blocked", what=wanted(said))
    elif name == "Notification":
        notified(attempt, said)
    elif name in ("UserPromptSubmit", "PostToolUse", "PostToolUseFailure"):
        work(attempt, name, said)
    return None


def started(attempt: Attempt, said: dict[str, Any]) -> None:
    """The session began, goes on, or was cleared, which gives it another name."""
    folder = os.environ.get("CLAUDE_CONFIG_DIR", "")
    if folder and said.get("source") == "resume":
        try:
            os.unlink(os.path.join(folder, "pco-resuming"))
        except OSError:
            pass
    detail = {"session": "session_id", "transcript": "transcript_path", "source": "source", "model": "model"}
    attempt.tell("started", **{name: _word(said.get(field)) for name, field in detail.items()})


def work(attempt: Attempt, name: str, said: dict[str, Any]) -> None:
    """A sign of work: after others of late only if it says something new.

    What is typed for pco itself is none: no turn begins, so none would end.
    """
    prompt = said.get("prompt")
    if name == "UserPromptSubmit" and isinstance(prompt, str) and prompt.split(None, 1)[:1] == ["/complete"]:
        attempt.ring()
        return
    path = attempt.path(".working")
    try:
        import time

        fresh = time.time() - os.stat(path).st_mtime < QUIET
    except OSError:
        fresh = False
    if fresh and name != "UserPromptSubmit" and not os.path.exists(attempt.path(".blocked")):
        attempt.ring()  # the screen may have changed
        return
    mark(attempt, False)
    with open(path, "wb"):
        pass
    attempt.tell("working", tool=_word(said.get("tool_name")))


def rest(attempt: Attempt) -> None:
    """It does not work now: the next sign of work is news."""
    mark(attempt, False)
    try:
        os.unlink(attempt.path(".working"))
    except OSError:
        pass


def mark(attempt: Attempt, blocked: bool) -> None:
    """Remember whether it waits for a person."""
    path = attempt.path(".blocked")
    if blocked:
        with open(path, "wb"):
            pass
    elif os.path.exists(path):
        os.unlink(path)


def notified(attempt: Attempt, said: dict[str, Any]) -> None:
    """It waits: for a permission, for an answer, or for somebody to speak."""
    kind = said.get("notification_type")
    if kind == "idle_prompt":
        rest(attempt)
        attempt.tell("idle")
    elif kind in ("permission_prompt", "elicitation_dialog", "worker_permission_prompt"):
        mark(attempt, True)
        attempt.tell("blocked", what=_word(said.get("message")))


def wanted(said: dict[str, Any]) -> str:
    """What it asks a person for: the question, or the tool and what that is given."""
    given = said.get("tool_input")
    given = given if isinstance(given, dict) else {}
    questions = given.get("questions")
    if isinstance(questions, list) and questions and isinstance(questions[0], dict):
        return f"question: {_word(questions[0].get('question'))}"
    first = next((value for value in given.values() if isinstance(value, str)), "")
    return f"{_word(said.get('tool_name'))}: {first[:200]}".rstrip(": ")


def stop(attempt: Attempt, said: dict[str, Any]) -> dict[str, Any] | None:
    """A turn has ended; what a person forwarded meanwhile begins the next one."""
    last = said.get("last_assistant_message")
    words = last[:MOST_WORDS] if isinstance(last, str) else ""
    rest(attempt)
    # After a summary there is no turn that could make use of it.
    numbers, forwarded = ([], []) if events.handed_over(attempt.out) else waiting(attempt)
    if not numbers:
        attempt.tell("turn_ended", last=words)
        return None
    # Marked first: who is handed the same again and again never comes to an end.
    for number in numbers:
        with open(attempt.path(f"given-{number}"), "xb"):
            pass
    # Answered before it is told: killed between the two, the comment comes again in another round.
    sys.stdout.write(json.dumps({"decision": "block", "reason": TURN.join(forwarded)}))
    sys.stdout.flush()
    attempt.tell("working", last=words, given=numbers)
    return None


def waiting(attempt: Attempt) -> tuple[list[int], list[str]]:
    """The numbers and the words of what was forwarded and not given yet."""
    folder = os.path.join(attempt.home, "forward")
    try:
        found = [int(name[:-3]) for name in os.listdir(folder) if name.endswith(".md") and name[:-3].isdigit()]
    except FileNotFoundError:
        return [], []
    except OSError as error:
        attempt.trouble(f"what was forwarded is not given now: {error}")
        return [], []
    numbers = [n for n in sorted(found) if not os.path.exists(attempt.path(f"given-{n}"))]
    words = []
    for number in numbers:
        with open(os.path.join(folder, f"{number}.md"), encoding="utf-8", errors="replace") as file:
            words.append(file.read())
    return numbers, words


def complete(attempt: Attempt, said: dict[str, Any]) -> dict[str, Any] | None:
    """`/complete SUMMARY`: the raw words of a person, or of the agent."""
    if said.get("command_name") != "complete":
        return None
    given = said.get("command_args")
    summary = given.strip() if isinstance(given, str) else ""
    if not summary:
        return _blocked("Write /complete SUMMARY: what was done, what was not, what a person should check.")
    if len(summary.encode("utf-8", "replace")) > MOST_SUMMARY:
        return _blocked(f"The summary is larger than {MOST_SUMMARY >> 10} KiB; nothing was handed over.")
    from pco.ground import credentials  # few of its calls get here, and each keeps the agent waiting

    if kinds := credentials.held(summary, credentials.given(os.environ)):
        return _blocked(f"The summary has {' and '.join(kinds)} in it; nothing was handed over.")
    if events.handed_over(attempt.out):
        return _blocked(f"A summary of {attempt.key} was handed over before; nothing was changed.")
    attempt.tell("completed", summary=summary, by="agent")
    return _blocked(f"{attempt.key} was handed over. A person will read the summary; this session ends soon.")


def status(attempt: Attempt, said: dict[str, Any]) -> str:
    """The line below the prompt; what the session has cost is kept, for it is told here and nowhere else."""
    total = said["cost"]["total_cost_usd"]
    spent = count(attempt, str(said["session_id"]), float(total))
    again = f" round {attempt.round}" if attempt.round > 1 else ""
    return f"pco {attempt.key}{again} | ${spent:.2f} | /complete SUMMARY hands it over"


def count(attempt: Attempt, session: str, total: float) -> float:
    """What this attempt has cost: a conversation that goes on begins with what it had cost before.

    out/usd: {"session", "base" (its sum when it was first heard), "before" (of other conversations), "last"}.
    """
    path = attempt.path("usd")
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    except (OSError, ValueError):
        kept = {"session": session, "base": _before(session, total), "before": 0.0, "last": 0.0, "told": -1.0}
    if total < kept["last"]:
        kept = {**kept, "before": kept["before"] + kept["last"] - kept["base"], "base": 0.0}
    kept = {**kept, "session": session, "last": total}
    spent: float = max(kept["before"] + total - kept["base"], 0.0)
    if spent != kept["told"]:
        kept["told"] = spent
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.rename(temporary, path)
        events.ring(attempt.path("bell"))
    return spent


def _before(session: str, total: float) -> float:
    """What a conversation had cost when this attempt began."""
    try:
        with open(os.path.join(os.environ["CLAUDE_CONFIG_DIR"], "pco-spent"), encoding="utf-8") as file:
            known = json.load(file).get(session, 0.0)
    except (OSError, ValueError, KeyError, AttributeError):
        return 0.0
    return known if type(known) in (int, float) and known <= total else 0.0


def _blocked(reason: str) -> dict[str, Any]:
    return {"decision": "block", "reason": f"pco: {reason}"}


def _failure(said: dict[str, Any]) -> str:
    last, error = _word(said.get("last_assistant_message")), _word(said.get("error"))
    return ": ".join(word for word in ("" if error == "unknown" and last else error, last) if word)


def _word(value: Any) -> str:
    return value[:500] if isinstance(value, str) else ""
