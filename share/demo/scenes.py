#!/usr/bin/env python3
"""Play the scenes that pco-claude(7) and README show, and keep what is on the terminal: scenes.py FOLDER.

All is as in the demo with AGENT=claude; here a person types, too: in a shell, and in sessions they are attached to.
Each screen becomes FOLDER/NAME.ansi, text with SGR as tmux draws it.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stage import TOP, Failed, Stage, story  # first: it finds pco

# isort: split
import click
from agents import Claude, made_up
from demo import CONFIG, start_plane
from stage import INF, WEB

from pco.sim import Person

WIDE, HIGH = 78, 32
PATIENCE = 120.0


class Terminal:
    """A person's terminal with a shell in it: what they type, what they see."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.folder = folder
        self.socket = stage.run_folder / "person.sock"
        self.environment = {
            **stage.environment,
            "PS1": "$ ",
            "PAGER": "cat",
            "TERM": "screen-256color",
            "LC_ALL": "C.UTF-8",
        }
        self.environment = {name: value for name, value in self.environment.items() if name not in ("TMUX", "COLUMNS")}
        shell = ["bash", "--noprofile", "--norc"]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-s", "p", "-x", str(WIDE), "-y", str(HIGH), *shell)
        for setting in (("prefix", "None"), ("status", "off"), ("escape-time", "0")):
            self._tmux("set", "-g", *setting)
        self.shows("$")

    def close(self) -> None:
        """Leave."""
        self._tmux("kill-server")

    def type(self, words: str) -> None:
        """Type a line, and press Enter once it is on the screen."""
        self._tmux("load-buffer", "-b", "typed", "-", given=words)
        self._tmux("paste-buffer", "-p", "-d", "-b", "typed", "-t", "p")
        self.shows(words[-20:])
        self.press("Enter")

    def run(self, command: str, until: str = "") -> None:
        """Run a command in the shell, on an empty screen, to its end or until it shows something."""
        self._tmux("send-keys", "-t", "p", "-R", "C-l")
        self._tmux("clear-history", "-t", "p")
        self.type(command)
        if until:
            self.shows(until)
        else:
            self.wait(lambda: self.text().endswith("\n$"), command)

    def press(self, *names: str) -> None:
        """Press keys, by tmux's names."""
        self._tmux("send-keys", "-t", "p", *names)

    def attach(self, key: str, until: str) -> None:
        """Attach to a session; wait until it shows something."""
        self.run(f"pco-queue attach {key}", until)

    def detach(self) -> None:
        """Leave the session."""
        self.press("C-b", "d")
        self.wait(lambda: self.text().endswith("$"), "the shell")

    def shows(self, words: str) -> None:
        """Wait until these words are there, however the lines are broken."""
        wanted = re.sub(r"\s", "", words)
        self.wait(lambda: wanted in re.sub(r"[\s│]", "", self.text()), words)

    def wait(self, true: Any, what: str) -> None:
        """Wait for something on the screen.  Raises Failed."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise Failed(f"the screen does not show {what!r}:\n{self.text()}")
            time.sleep(0.1)

    def text(self) -> str:
        """The screen without colours."""
        return "\n".join(line.rstrip() for line in self._tmux("capture-pane", "-p", "-t", "p").split("\n")).strip()

    def keep(self, name: str) -> None:
        """Keep the screen, once it has come to rest."""
        before, shown = "", self._drawn()
        while before != shown:
            time.sleep(0.7)
            before, shown = shown, self._drawn()
        self.keep_now(name)

    def keep_now(self, name: str) -> None:
        """Keep the screen as it is, without the prompt that waits at its end."""
        shown = re.sub(r"\n(\x1b\[[0-9;]*m)*\$ *(\x1b\[[0-9;]*m)*$", "", self._drawn())
        (self.folder / f"{name}.ansi").write_text(f"{shown}\n")
        click.echo(f"   kept {name}")

    def _drawn(self) -> str:
        return self._tmux("capture-pane", "-e", "-p", "-t", "p").rstrip()

    def _tmux(self, *words: str, given: str | None = None) -> str:
        argv = ["tmux", "-u", "-S", str(self.socket), *words]
        return subprocess.run(
            argv, env=self.environment, input=given, capture_output=True, text=True, check=False
        ).stdout


def play(stage: Stage, person: Terminal, url: str, model: str) -> None:
    """All scenes."""
    jonas = Person(url, "plane_api_jonas", "acme", "WEB")
    stage.run("pco-poll", "--backfill")
    watch = stage.start("pco-watch", [str(TOP / "bin" / "pco-watch")])
    launch(stage, "WEB-1", "WEB-2", "WEB-3")

    story("It works.")
    person.attach("WEB-3", "esc to interrupt")
    person.shows("Ran 1 shell command")
    person.keep_now("working")
    person.detach()

    story("A comment comes meanwhile, and is forwarded.")
    jonas.comment("WEB-3", "<p>Not on the page of the basket, please.</p>")
    stage.wait("the comment", lambda: "noted=" in stage.run("pco-poll") or noted(stage, "WEB-3"))
    person.run("pco-queue forward WEB-3")
    person.keep("forward")
    person.attach("WEB-3", "I leave the page of the basket alone")
    person.keep("forwarded")
    person.detach()

    story("It is blocked, and answered.")
    stage.wait("WEB-2", lambda: bool(stage.waits("WEB-2")))
    person.run("pco-queue")
    person.keep("inbox")
    person.attach("WEB-2", "Do you want to proceed?")
    person.keep("blocked")
    person.press("1")
    person.shows("Shall I hand it over")
    person.type("/complete README.md says how to start the shop; the command itself is still missing.")
    person.shows("was handed over")
    person.keep_now("complete")
    stage.wait("WEB-2", lambda: stage.state("WEB-2") == "completed")

    story("A result is sent back, and the conversation goes on.")
    stage.wait("WEB-1", lambda: stage.state("WEB-1") == "completed")
    person.run("pco-queue rework WEB-1 'A test is missing.'")
    person.keep("rework")
    stage.run("pco-launch")
    person.attach("WEB-1", "is with you again")
    person.shows("Shall it also")
    person.keep("again")
    person.detach()

    story("Headless.")
    launch(stage, "INF-1")
    person.attach("INF-1", "headless")
    person.keep("headless")
    person.detach()

    story("The API is down.")
    down(model, {"status": 529, "message": "Overloaded"})
    launch(stage, "WEB-5")
    stage.wait("WEB-5", lambda: "failed" in stage.waits("WEB-5"))
    person.attach("WEB-5", "529")
    person.keep("outage")
    person.detach()
    down(model, {})

    story("Nobody speaks to it: a draft.")
    watch.terminate()
    watch.wait(10)
    stage.started.remove(watch)
    config = stage.home / "pco.yaml"
    config.write_text(config.read_text().replace("idle_after: 5m", "idle_after: 3s"))
    stage.start("pco-watch", [str(TOP / "bin" / "pco-watch")])
    stage.wait("WEB-1", lambda: stage.state("WEB-1") == "failed")
    person.run("pco-queue post WEB-1", "[y/N")
    person.keep("draft")


def launch(stage: Stage, *keys: str) -> None:
    """Approve and start."""
    stage.run("pco-queue", "approve", "--yes", *keys)
    stage.run("pco-launch")


def noted(stage: Stage, key: str) -> bool:
    """Whether a comment was noted while a session runs."""
    time.sleep(0.5)
    return (
        "does not know it"
        in subprocess.run(
            [str(TOP / "bin" / "pco-queue"), "show", key],
            env=stage.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def down(model: str, how: dict[str, Any]) -> None:
    """Have the stand-in of the API fail, or be well again."""
    import json
    from urllib.request import Request, urlopen

    urlopen(Request(f"{model}/_down", json.dumps(how).encode(), method="PUT"), timeout=10).close()  # of a stand-in here  # nosec B310


def rules(sessions: Path) -> list[dict[str, Any]]:
    """What the stand-in says here; for the rest it is as in the demo."""
    greet = sessions / "WEB-3" / "workspace" / "shop" / "greet.py"
    test = sessions / "WEB-1" / "workspace" / "tests" / "test_basket.py"
    read = {"file_path": str(sessions / "WEB-3" / "1.1" / "forward" / "1.txt")}
    look = {"command": "git log --oneline", "description": "What was done before"}
    used = {"usage": {"input_tokens": 900, "output_tokens": 150, "cache_read_input_tokens": 7400}}
    code = 'def greet(name):\n    return f"Welcome back, {name}" if name else "Welcome"\n'
    case = "from shop.basket import *\n\n\ndef test_quantity():\n    assert total([Article('pen', 2.5, 2)]) == 5\n"
    return [
        {
            "match": "who watches over this session, forwards",
            "steps": [
                {"tool": "Read", "input": read, **used},
                {"text": "I leave the page of the basket alone. Where else shall the words stand?", **used},
            ],
        },
        {
            "match": "Ticket WEB-1 is with you again",
            "steps": [
                {
                    "tool": "Write",
                    "input": {"file_path": str(test), "content": case},
                    "text": "A test for the quantity.",
                    **used,
                },
                {"tool": "Bash", "input": {"command": "git add -A && git commit -qm 'Basket: a test'"}, **used},
                {
                    "text": "`tests/test_basket.py` has two articles of 2.50. Shall it also cover an empty basket?",
                    **used,
                },
            ],
        },
        {
            "match": "Title: Greet returning",
            "steps": [
                {"text": "I look at what there is.", "tool": "Bash", "input": look, **used},
                {
                    "text": "There is no page yet that greets anybody; I begin with the words.",
                    "tool": "Write",
                    "input": {"file_path": str(greet), "content": code},
                    "sleep": 8,
                    **used,
                },
                {
                    "tool": "Bash",
                    "input": {"command": "git add -A && git commit -qm 'Greet customers'"},
                    "sleep": 40,
                    **used,
                },
                {"text": "The words are in `shop/greet.py`. Where shall they stand?", **used},
            ],
        },
        {"match": "Title: Rotate the logs", "steps": [{"text": "Not done.", "sleep": 120}]},
        *made_up(sessions),
    ]


def main() -> int:
    """Play all, keep all, end all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    home = Path("/tmp/acme")  # short, for it is read on the screens  # nosec B108
    parser.add_argument("--home", type=Path, default=home, help="where it all happens; it can be read on the screens")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(given.home)
    person = None
    try:
        agent = Claude(None, "")
        agent.rules = rules
        stage.lay_out()
        url = start_plane(stage)
        values = {"url": url, "home": stage.home, "run": stage.run_folder, "web": WEB, "inf": INF}
        (stage.home / "pco.yaml").write_text(
            CONFIG.replace("complete_grace: 1s", "complete_grace: 5s").format(
                **values, agent=f"  per_project: 4\n{agent.begin(stage)}", headless=agent.headless
            )
        )
        person = Terminal(stage, given.folder)
        play(stage, person, url, (stage.home / "model-url").read_text())
    except (click.ClickException, subprocess.SubprocessError, OSError) as error:
        click.secho(
            f"\nfailed: {error.message if isinstance(error, click.ClickException) else error}", fg="red", err=True
        )
        return 1
    finally:
        if person:
            person.close()
        stage.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
