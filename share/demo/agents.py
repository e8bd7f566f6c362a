"""Who does the work in the demo: a sketch of an agent, or Claude Code itself.

Claude Code asks a model, and that is a stand-in of the model's API unless a key is given: it answers by the rules
below, so the same program runs here as with the real model, with other thoughts.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from stage import TOP, Failed, Stage, story

from pco.ground import text
from pco.ground.leavings import TOKENS
from pco.outside.agents.claude import program
from pco.sim.model import KEY
from pco.spool import Spool

TICKET_USD, DAILY_USD = 1.0, 2.0  # what a run against the real API may cost
LONG = 900.0  # seconds that a real model may take
AT_REST = 20.0  # seconds after which it is said that nobody speaks to a session
MOST_WORDS = 90  # columns of what the agent says or does

SUMMARY = """\
The total multiplies each price by its quantity now (`shop/basket.py`).

- two articles of 2.50 give **5.00**
- please check: discounts are still subtracted once per basket"""
ROTATE = "/var/log/shop/*.log {\n    daily\n    rotate 7\n    compress\n    missingok\n}\n"


class Sketch:
    """share/demo/agent: a script that knows what to do about four tickets."""

    patience = 60.0
    headless = ""

    def begin(self, _stage: Stage) -> str:
        """The part of pco.yaml that is the agent's."""
        return f"  agent: command\n  command: [{TOP}/share/demo/agent]\n"

    def news(self, stage: Stage) -> None:
        """It says nothing while it works."""

    def ended(self, stage: Stage, key: str) -> None:
        """Nor has it a bill."""

    def leave(self, _stage: Stage) -> list[str]:
        """What there is to play with."""
        return []


class Claude:
    """Claude Code, the version that pco's tests pin; with a key it asks the real API."""

    headless = ", claude: {mode: headless}"

    def __init__(self, key_file: Path | None, base_url: str) -> None:
        self.program = TOP / ".venv" / "claude" / ".".join(map(str, program.TESTED)) / "claude"
        self.key_file = key_file
        self.base_url = base_url
        self.patience = LONG if key_file else 180.0
        self.rules = made_up
        self._read: dict[Path, int] = {}
        self._hinted: dict[str, str] = {}

    def begin(self, stage: Stage) -> str:
        """Start the stand-in if there is no key; the part of pco.yaml that is the agent's.  Raises Failed."""
        if not self.program.exists():
            raise Failed(f"{self.program} is not there; make .venv/.claude fetches it")
        lines = [
            "  agent: claude",
            "  idle_after: 5m",
            "claude:",
            f"  program: {self.program}",
        ]
        if self.key_file:
            self._say_what_it_may_cost()
            lines += [f"  key_file: {self.key_file}", f"  max_budget_usd: {TICKET_USD}"]
            lines += [f"  base_url: {self.base_url}"] if self.base_url else []
            return "\n".join([*lines, f"budget: {{ticket_usd: {TICKET_USD}, daily_usd: {DAILY_USD}}}", ""])
        key_file = stage.secret("key", KEY)
        rules, url = stage.home / "rules.json", stage.home / "model-url"
        rules.write_text(json.dumps(self.rules(stage.home / "sessions"), indent=1))
        here = stage.start_server("model", url, ["pco.sim.model", "--url-file", str(url), "--rules", str(rules)])
        story(f"Claude Code is the real one; at {here} a stand-in of the model's API answers it, for no money.")
        lines += [f"  key_file: {key_file}", f"  base_url: {here}"]
        return "\n".join([*lines, '  environment: {CLAUDE_CODE_MAX_RETRIES: "1"}', ""])

    def _say_what_it_may_cost(self) -> None:
        """Before anything is asked; the key itself is never shown.  Raises Failed."""
        try:
            words = self.key_file.read_text(encoding="ascii", errors="strict").split() if self.key_file else []
        except (OSError, ValueError) as error:
            raise Failed(f"KEY_FILE: {self.key_file}: {getattr(error, 'strerror', None) or 'no key'}") from None
        if len(words) != 1:
            raise Failed(f"KEY_FILE: {self.key_file}: expected one line with a key")
        where = self.base_url or "the real API"
        story(
            f"Claude Code asks {where} with the key in {self.key_file}: that costs money. Three sessions\n"
            "   are started; one is ended once it says that its ticket has cost "
            f"${TICKET_USD:.2f}, all once the\n   sum is ${DAILY_USD:.2f}. "
            "A single turn can go beyond that; the bill is your vendor's."
        )

    def news(self, stage: Stage) -> None:
        """Show what sessions have said and done since the last time; tell if one waits.  Raises Failed."""
        for path in sorted((stage.home / "sessions").glob("*/claude/projects/*/*.jsonl")):
            key = path.relative_to(stage.home / "sessions").parts[0]
            for line in self._lines(path):
                for what, words in told(line):
                    shown = words.replace(f"{stage.home}/sessions/{key}/workspace/", "")
                    click.echo(f"   {key:<6} {what:<6} {text.line(shown, MOST_WORDS)}")
        for path in sorted((stage.home / "spool" / "active").glob("*.json")):
            self._hint(stage, path.stem, stage.waits(path.stem, AT_REST))

    def _hint(self, stage: Stage, key: str, waits: str) -> None:
        if not waits or self._hinted.get(key) == waits:
            return
        self._hinted[key] = waits
        if not self.key_file:
            raise Failed(f"{key}: {waits}")  # a script does not wait for anybody
        click.secho(f"   {key:<6} {text.line(waits, MOST_WORDS)}; to speak to it, in another terminal:", fg="yellow")
        click.echo(f"          PCO_CONFIG={stage.home}/pco.yaml {TOP}/bin/pco-queue attach {key}")

    def _lines(self, path: Path) -> Iterator[bytes]:
        """The lines that were added to a file."""
        with open(path, "rb") as file:
            file.seek(self._read.get(path, 0))
            for line in file:
                if line.endswith(b"\n"):
                    self._read[path] = self._read.get(path, 0) + len(line)
                    yield line

    def ended(self, stage: Stage, key: str) -> None:
        """What each round of a ticket has used."""
        ticket = Spool(stage.home / "spool", "demo").read(key)
        for round in ticket.rounds:
            used = ", ".join(f"{round.cost.tokens.get(name, 0):,} {name.replace('_', ' ')}" for name in TOKENS)
            name = round.attempts[-1].agent_session[:8] if round.attempts else "none"
            click.echo(f"   {key} round {round.n}: ${round.cost.usd:.2f} for {used} tokens; conversation {name}")

    def leave(self, stage: Stage) -> list[str]:
        """Start a session that will wait for a person."""
        if self.key_file:
            return ["  (what you approve from here on costs money, too)"]
        story("One more session, for you: WEB-2 asks for a permission.")
        stage.run("pco-queue", "approve", "--yes", "WEB-2")
        stage.run("pco-launch")
        stage.wait("WEB-2", lambda: bool(stage.waits("WEB-2")), self.patience)
        return [
            "  pco-queue attach WEB-2         it asks whether it may run a command: answer 1, then type",
            "                                 /complete and your summary; Ctrl-B, then D leaves it running",
        ]


def told(line: bytes) -> Iterator[tuple[str, str]]:
    """Of a line of a transcript what the agent said (`says`) or did (a tool's name), and with what."""
    try:
        value = json.loads(line)
    except ValueError:
        return
    if value.get("type") != "assistant":
        return
    for block in value["message"]["content"]:
        if block["type"] == "text":
            yield "says", block["text"]
        elif block["type"] == "tool_use":
            given = block["input"]
            yield block["name"], str(given.get("command") or given.get("file_path") or next(iter(given.values()), ""))


# What the stand-in answers: what a model might have done.


def made_up(sessions: Path) -> list[dict[str, Any]]:
    """Rules for the tickets of workspace.json."""
    basket = str(sessions / "WEB-1" / "workspace" / "shop" / "basket.py")
    rotate = str(sessions / "INF-1" / "workspace" / "etc" / "logrotate.d" / "shop")
    readme = str(sessions / "WEB-2" / "workspace" / "README.md")
    total = "sum(article.price for article in articles)"
    return [
        _rule(
            "Ticket INF-1 is with you again.*fourteen",
            _step("Fourteen days, then.", "Read", file_path=rotate),
            _step("", "Edit", file_path=rotate, old_string="rotate 7\n", new_string="rotate 14\n"),
            _commit("Keep the logs of the shop for fourteen days"),
            {"text": "`etc/logrotate.d/shop` keeps fourteen days now, as Jonas asked.", **_used(9100, 90)},
        ),
        _rule(
            "Title: Rotate the logs",
            _step("A file for logrotate, and nothing else.", "Write", file_path=rotate, content=ROTATE),
            _commit("Rotate the logs of the shop"),
            {
                "text": "Added `etc/logrotate.d/shop`: daily, seven days are kept, compressed. Nothing else touched.",
                **_used(7900, 120),
            },
        ),
        _rule(
            "Title: Basket total",
            _step("I look at how the total is made.", "Read", file_path=basket),
            _step(
                "`total()` forgets the quantity, as Jonas suspects.",
                "Edit",
                file_path=basket,
                old_string=total,
                new_string=total.replace(".price", ".price * article.quantity"),
            ),
            _commit("Basket: count the quantity"),
            _step("", "Bash", command=f"pco-complete {shlex.quote(SUMMARY)}", description="Hand over the summary"),
            {"text": "The summary is handed over.", **_used(8800, 20)},
        ),
        _rule(
            "Title: README",
            _step("", "Read", file_path=readme),
            _step("", "Write", file_path=readme, content="# The shop\n\n## Starting it\n\n    python3 -m shop\n"),
            _step("Does it start like that?", "Bash", command="python3 -m shop", description="Try to start the shop"),
            _commit("README: how to start the shop"),
            {"text": "README.md says how to start the shop. Shall I hand it over, or will you?", **_used(8200, 60)},
        ),
    ]


def _rule(match: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"match": match, "steps": list(steps)}


def _step(words: str, tool: str, **given: str) -> dict[str, Any]:
    said = {"text": words} if words else {}
    return {**said, "tool": tool, "input": given, "sleep": 0.7, **_used(6400, 140)}


def _commit(subject: str) -> dict[str, Any]:
    command = f"git add -A && git commit -qm {shlex.quote(subject)}"
    return _step("", "Bash", command=command, description="Commit")


def _used(before: int, said: int) -> dict[str, Any]:
    """What a turn of a small ticket uses: most of what came before is in the cache."""
    return {"usage": {"input_tokens": 600, "output_tokens": said, "cache_read_input_tokens": before}}
