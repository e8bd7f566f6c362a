"""The simulator as a process of its own: it says where it is, keeps what it answered, and refuses what it cannot do."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pco import sim
from pco.sim import Busy, Remote, running

LIB = Path(sim.__file__).parents[2]


def start(data: Path, *more: str) -> subprocess.Popen[str]:
    """Start a simulator on `data`."""
    return subprocess.Popen(
        [sys.executable, "-m", "pco.sim", "--data", str(data), *more],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(LIB)},
    )


def url_of(process: subprocess.Popen[str]) -> str:
    """Return the one line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> int:
    """End it and return its exit status."""
    process.send_signal(how)
    process.communicate(timeout=10)
    return process.returncode


def written(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def test_it_prints_its_address_writes_it_down_and_ends_cleanly(tmp_path):
    seed = written(tmp_path / "seed.json", {"projects": [{"identifier": "WEB", "items": [{"name": "seeded"}]}]})
    faults = written(tmp_path / "faults.json", [{"kind": "slow", "seconds": 0}])
    process = start(tmp_path / "data", "--seed", seed, "--faults", faults, "--token", "extra", "more")
    url = url_of(process)
    remote = Remote((tmp_path / "data" / "url").read_text())

    assert remote.url == url
    assert url.startswith("http://127.0.0.1:")
    assert [row["name"] for row in remote.person("ada").items()] == ["seeded"]
    assert {"extra", "more"} < {row["id"] for row in remote.rows("tokens")}
    assert remote.fired() == 0
    assert end(process) == 0


def test_what_was_answered_survives_sigkill(tmp_path):
    process = start(tmp_path / "data")
    ada = Remote(url_of(process)).person("ada")
    item = ada.create("kept", state="Todo")
    comment = ada.comment(item, "<p>kept too</p>")
    ada.move(item, "Done")
    end(process, signal.SIGKILL)

    again = start(tmp_path / "data")
    ada = Remote(url_of(again)).person("ada")

    assert ada.state("WEB-1") == "Done"
    assert [row["id"] for row in ada.comments(1)] == [comment["id"]]
    assert ada.key(ada.create("next")) == "WEB-2"
    assert end(again) == 0


def test_a_torn_last_line_of_the_journal_is_dropped(tmp_path):
    with running(data=tmp_path, rate=0) as first:
        first.person("ada").create("whole")
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"table": "items", "row": {"id": "torn')

    with running(data=tmp_path, rate=0) as second:
        assert [row["name"] for row in second.person("ada").items()] == ["whole"]
        second.person("ada").create("another")
    with running(data=tmp_path, rate=0) as third:
        assert len(third.person("ada").items()) == 2


def test_two_simulators_never_share_a_folder(tmp_path):
    with running(data=tmp_path), pytest.raises(Busy), running(data=tmp_path):
        pass
    with running(data=tmp_path):
        process = start(tmp_path)
        assert process.wait(timeout=10) == 69
        assert "in use by another simulator" in process.communicate()[1]


def test_a_bad_seed_ends_it_with_one_line(tmp_path):
    process = start(tmp_path / "data", "--seed", written(tmp_path / "seed.json", {"project": []}))
    _out, words = process.communicate(timeout=10)

    assert process.returncode == 65
    assert words == "pco.sim: seed: unknown project\n"


def test_a_stopped_simulator_answers_nobody_any_more(tmp_path):
    with running(data=tmp_path) as gone:
        ada = gone.person("ada")

    with pytest.raises(OSError):
        ada.items()


def test_people_do_by_hand_what_people_do(tmp_path):
    seed = {"projects": [{"identifier": "WEB", "labels": ["bug"]}, {"identifier": "INF"}]}
    with running(seed, tmp_path) as made:
        ada = made.person("ada", "WEB")
        item = ada.create("one", labels=["bug"], assignees=["jonas"], state="Todo", priority="high")
        remark = ada.comment("WEB-1", "<p>a</p>")

        ada.edit_comment(remark, "<p>b</p>")
        ada.edit(item, name="renamed")
        ada.label(item)
        ada.close(item)

        assert (ada.key(item), ada.state(1), ada.item(1)["name"]) == ("WEB-1", "Done", "renamed")
        assert [row["comment_html"] for row in ada.comments(item["id"])] == ["<p>b</p>"]
        ada.delete_comment(remark)
        assert ada.comments(1) == []
        ada.archive(1)
        assert ada.items() == []
        ada.archive(1, archived=False)
        ada.draft(1)
        assert ada.items() == []
        ada.draft(1, draft=False)
        ada.cancel(1)
        assert ada.state(1) == "Cancelled"
        ada.delete("WEB-1")
        with pytest.raises(sim.NotDone, match="404"):
            ada.item(item)


def test_a_request_whose_client_is_gone_before_its_end_is_dropped(tmp_path):
    with running({"projects": [{"identifier": "WEB", "items": [{"name": "one"}]}]}, tmp_path) as made:
        item, project = made.rows("items")[0]["id"], made.project("WEB")["id"]
        path = f"/api/v1/workspaces/{made.slug}/projects/{project}/work-items/{item}/comments/"
        with socket.create_connection(("127.0.0.1", int(made.url.rpartition(":")[2]))) as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nX-API-Key: {made.token}\r\nContent-Length: 90\r\n\r\n".encode())
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(100)

        assert answer == b""
        assert made.rows("comments") == []
