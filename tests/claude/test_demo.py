"""make demo AGENT=claude: the main job with the real CLI, from the poll to the comment, and nothing is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from claude.agents import binary
from pco.ground.ticket import State
from pco.sim.model import KEY, Model
from pco.spool import Spool
from sessions import until
from support import TOP

sys.path.append(str(TOP / "share" / "demo"))

pytestmark = pytest.mark.timeout(500)
DEMO = [sys.executable, str(TOP / "share" / "demo" / "demo.py"), "--agent", "claude"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The folder of a demo; what a failed test left running is ended."""
    binary()
    home = tmp_path / "demo"
    yield home
    if (home / "stop").exists():
        subprocess.run([str(home / "stop")], check=True)
    for pid in left(home):
        os.kill(pid, signal.SIGKILL)


def begin(home: Path, *more: str) -> "subprocess.Popen[str]":
    """Start it, as make does."""
    return subprocess.Popen(
        [*DEMO, "--home", str(home), *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(home: Path, *more: str, code: int = 0) -> str:
    """Run it to its end; returns what it said."""
    started = begin(home, *more)
    said, _ = started.communicate(timeout=450)
    assert started.returncode == code, said
    return said


def left(home: Path) -> list[int]:
    """Processes that have to do with a demo."""
    places = [str(home)]
    if (home / "pco.yaml").exists():
        places.append(yaml.safe_load((home / "pco.yaml").read_text())["paths"]["run"])
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()):
        try:
            about = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if any(os.fsencode(place) in about for place in places):
            found.append(pid)
    return found


def told_nowhere(secret: str, home: Path, said: str) -> None:
    """That a secret is neither in the output nor in any file of the demo."""
    assert secret not in said
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert secret.encode() not in path.read_bytes(), path


def test_it_goes_the_whole_way_and_shows_what_the_agent_does(home):
    said = run(home)

    web, inf = (Spool(home / "spool", "test").read(key) for key in ("WEB-1", "INF-1"))
    assert (web.state, inf.state, inf.round.n) == (State.POSTED, State.POSTED, 2)
    assert "two articles of 2.50 give **5.00**" in web.round.summary
    assert inf.rounds[0].attempts[0].agent_session == inf.rounds[1].attempts[0].agent_session != ""
    assert all(round.cost.usd > 0 and round.cost.tokens["input"] > 0 for round in (*web.rounds, *inf.rounds))
    assert "WEB-1  Edit   shop/basket.py" in said
    assert "INF-1  says   Fourteen days, then." in said
    assert "rotate 14" in said
    assert json.loads((home / "sessions" / "INF-1" / "2.1" / "out" / "result").read_text())["is_error"] is False
    assert "nothing is left running" in said and left(home) == []


def test_it_can_be_left_running_with_a_session_that_waits_for_a_person(home):
    said = run(home, "--keep")

    assert "pco-queue attach WEB-2" in said
    ticket = Spool(home / "spool", "test").read("WEB-2")
    assert (ticket.state, ticket.blocked.what) == (State.ACTIVE, "Bash: python3 -m shop")
    assert f"end it with {home}/stop" in run(home, code=1)
    assert Spool(home / "spool", "test").read("WEB-2").state is State.ACTIVE
    subprocess.run([str(home / "stop")], check=True)
    until(lambda: left(home) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_it_started_ends_when_it_is_interrupted(home, number):
    started = begin(home)
    for line in started.stdout:
        if "WEB-1  Read" in line:
            break
    assert len(left(home)) > 5

    started.send_signal(number)
    said, _ = started.communicate(timeout=60)

    assert started.returncode == 130
    assert "interrupted" in said
    assert left(home) == []


def test_with_a_key_another_address_is_asked_and_the_key_is_shown_nowhere(home, tmp_path):
    import agents

    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n")
    with Model(agents.made_up(home / "sessions")) as model:
        said = run(home, "--key-file", str(key_file), "--base-url", model.url)
        assert len(model.turns()) > 10

    assert "that costs money" in said and "$1.00" in said and "$2.00" in said
    limits = yaml.safe_load((home / "pco.yaml").read_text())
    assert limits["budget"] == {"ticket_usd": 1.0, "daily_usd": 2.0}
    told_nowhere(KEY, home, said)


def test_a_session_that_waits_for_a_person_says_how_to_reach_it(home, tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n")
    ask = {"tool": "Bash", "input": {"command": "python3 -m shop", "description": "try"}}
    with Model([{"match": "Title: Basket", "steps": [ask]}]) as model:
        started = begin(home, "--key-file", str(key_file), "--base-url", model.url)
        for line in started.stdout:
            if "it asks: Bash: python3 -m shop" in line:
                break
        assert f"PCO_CONFIG={home}/pco.yaml" in started.stdout.readline()
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=60)


@pytest.mark.parametrize(
    ("words", "said"), [(None, "No such file"), ("", "one line with a key"), ("two words", "one line with a key")]
)
def test_a_key_that_is_none_is_named_before_anything_is_asked(home, tmp_path, words, said):
    key_file = tmp_path / "key"
    if words is not None:
        key_file.write_text(words)

    assert said in run(home, "--key-file", str(key_file), code=1)
    assert not (home / "pco.yaml").exists()


def test_a_folder_that_is_no_demo_is_not_removed(home):
    home.mkdir()
    (home / "precious").write_text("x")

    assert "is no demo" in run(home, code=1)
    assert (home / "precious").exists()


def test_a_program_that_cannot_be_fetched_is_said_and_leaves_nothing_half_done(tmp_path):
    environment = {**os.environ, "npm_config_registry": "http://127.0.0.1:1", "npm_config_fetch_retries": "0"}

    done = subprocess.run(
        [str(TOP / "share" / "claude" / "fetch"), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 69
    assert "is the registry in reach?" in done.stderr and "make demo" in done.stderr
    assert list(tmp_path.rglob("fetch.*")) == []


def test_a_fetch_that_is_interrupted_leaves_nothing_half_done(tmp_path):
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho begun\necho begun >&2\nexec sleep 60\n")
    npm.chmod(0o755)
    environment = {**os.environ, "PATH": f"{npm.parent}:{os.environ['PATH']}"}
    fetch = [str(TOP / "share" / "claude" / "fetch"), str(tmp_path / "to")]
    started = subprocess.Popen(fetch, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert started.stderr.readline() == "begun\n"

    os.killpg(started.pid, signal.SIGINT)
    started.communicate(timeout=10)

    assert started.returncode == 130
    assert list(tmp_path.rglob("fetch.*")) == []
