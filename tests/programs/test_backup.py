"""pco-backup: what is in a backup, what is not, and when there is none."""

import hashlib
import json
import os
import socket
from datetime import timedelta

import pytest

from pco.ground import audit, backups
from pco.ground.ticket import State
from programs.backing import furnish, git, hook, manifest, mirror, newest, packed
from support import BOUND, TOP, WEB, a_ticket, put


def leftovers(site):
    """What is in the folders where a backup is made, and is none."""
    tmp = [path.name for path in (site.home / "spool/tmp").iterdir()]
    return tmp + [path.name for path in (site.home / "backups").iterdir() if path.name.startswith(".")]


def notices(site):
    return [json.loads(path.read_text())["event"] for path in (site.home / "spool/notify").iterdir()]


def test_all_that_pco_knows_is_in_it_byte_by_byte(site, pco):
    furnish(site)

    said = pco("pco-backup").stdout

    backup = newest(site)
    assert said.startswith(f"{backup}: 9 tickets, ")
    tickets = {f"{s}/{p.name}": p.read_bytes() for s in State for p in (site.home / "spool" / s).iterdir()}
    assert len(tickets) == 10
    assert {n: d for n, d in packed(backup, "spool").items() if n.partition("/")[0] in iter(State)} == tickets
    assert packed(backup, "attempts") == {"WEB-3/1.1/prompt.md": b"Do it.", "WEB-3/1.1/out/events/1-1.json": b"{}"}
    assert set(packed(backup, "plane")) == {f"{WEB}/head.json", f"{WEB}/known/00.json"}
    months = packed(backup, "audit")
    assert [name for name in months if not (site.home / "audit" / name).read_bytes().startswith(months[name])] == []
    assert packed(backup, "metrics") == {"spend/2026-11-22.json": b"{}"}
    assert packed(backup, "config") == {"pco.yaml": site.config.read_bytes()}
    assert leftovers(site) == []


def test_the_manifest_says_what_is_in_it_and_each_hash_is_right(site, pco):
    furnish(site)

    pco("pco-backup")

    said = manifest(site)
    assert said["counts"] == dict.fromkeys([state.value for state in State], 1)
    assert (said["schema"], said["name"], said["unreadable"]) == (1, newest(site).name, [])
    for member in said["members"]:
        data = (newest(site) / member["name"]).read_bytes()
        assert (member["size"], member["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert {path.name for path in newest(site).iterdir()} == {m["name"] for m in said["members"]} | {"manifest.json"}


def test_a_bundle_holds_the_branches_of_tickets_and_can_be_read_on_an_empty_machine(site, pco, tmp_path):
    tips = mirror(site, "WEB-1", "WEB-2")

    pco("pco-backup")

    bundle = newest(site) / f"{WEB}.bundle"
    git("init", "-q", "--bare", str(tmp_path / "empty.git"), cwd=tmp_path)
    git("fetch", "-q", str(bundle), "refs/heads/pco/*:refs/heads/pco/*", cwd=tmp_path / "empty.git")
    assert {key: git("rev-parse", f"pco/{key}", cwd=tmp_path / "empty.git") for key in tips} == tips
    assert next(m["refs"] for m in manifest(site)["members"] if m["name"] == bundle.name) == tips


def test_no_secret_is_in_it_and_what_must_be_put_back_is_named(site, pco):
    config = site.home / "etc"
    (config / "credentials").mkdir(parents=True)
    (config / "credentials/plane-token").write_text("plane_api_0123456789abcdef")
    (config / "pco.yaml.d").mkdir()
    (config / "hooks.d").mkdir()
    (config / "hooks.d/call").write_text(
        "curl -H 'Authorization: sk-ant-api03-abcdefghijklmnopqrstuvwxyz' https://example.org\n"
    )
    (config / "hooks.d/server.key").write_text("x")
    site.config.rename(config / "pco.yaml")
    site.config = config / "pco.yaml"

    (config / "pco.yaml.d/a.yaml").write_text("log: {level: info}\n# https://bot:hunter22@plane.example.org\n")
    pco("pco-backup")

    everything = b"".join(path.read_bytes() for path in newest(site).iterdir())
    found = packed(newest(site), "config")
    assert set(found) == {"pco.yaml", "pco.yaml.d/a.yaml", "hooks.d/call"}
    for secret in (b"hunter22", b"0123456789abcdef", b"abcdefgh"):
        assert secret not in everything
        assert [name for name, data in found.items() if secret in data] == []
    assert b"(a password in an address)plane.example.org" in found["pco.yaml.d/a.yaml"]
    named = " ".join(manifest(site)["put_back"])
    assert "server.key" in named and "hooks.d/call: what is masked in it" in named


@pytest.mark.parametrize("kind", ["fifo", "socket", "link", "folder", "stranger"])
def test_what_is_no_ticket_is_left_out_and_said_and_keeps_nobody_waiting(site, pco, kind):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    path = site.home / "spool/pending/WEB-2.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.chdir(path.parent)
        socket.socket(socket.AF_UNIX).bind(path.name)
        os.chdir(TOP)
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "folder":
        path.mkdir()
    else:
        path = path.with_name("notes.txt")
        path.write_text("mine")

    said = pco("pco-backup").stderr

    assert f"left out: pending/{path.name}" in said
    assert [left["path"] for left in manifest(site)["left_out"]] == [f"pending/{path.name}"]
    assert list(packed(newest(site), "spool")) == ["pending/WEB-1.json"]


def test_a_ticket_that_cannot_be_read_is_in_it_as_it_lies_there(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    site.spool().path("WEB-2", State.PENDING).write_text("{torn")

    pco("pco-backup")

    assert packed(newest(site), "spool")["pending/WEB-2.json"] == b"{torn"
    assert manifest(site)["unreadable"] == ["WEB-2"]


def test_a_ticket_that_may_not_be_taken_is_told_and_the_rest_is_backed_up(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    put(site.spool(), a_ticket("WEB-2"), State.PENDING)
    site.spool().path("WEB-2", State.PENDING).chmod(0)

    said = pco("pco-backup", code=65, by=BOUND).stderr

    assert "WEB-2: it is not in the backup" in said
    assert manifest(site)["counts"] == {"pending": 1}


def test_what_an_agent_leaves_cannot_make_it_endless(site, pco):
    out = site.home / "sessions/WEB-1/1.1/out"
    out.mkdir(parents=True)
    os.mkfifo(out / "bell")
    (out / "loop").symlink_to(out.parent)
    with (out / "huge").open("wb") as file:
        file.truncate(100 << 30)
    (out.parent / "source.bundle").write_text("the repository, once more")
    (site.home / "sessions/WEB-1/workspace").mkdir()
    (site.home / "sessions/WEB-1/workspace/file").write_text("x")
    many = site.home / "sessions/WEB-2/1.1"
    many.mkdir(parents=True)
    for n in range(2100):
        (many / f"{n:04}").touch()

    pco("pco-backup")

    names = list(packed(newest(site), "attempts"))
    assert [name for name in names if name.startswith("WEB-1")] == []
    assert len(names) == 2000
    left = {row["path"]: row["why"] for row in manifest(site)["left_out"]}
    assert set(left) == {f"WEB-1/1.1/out/{name}" for name in ("bell", "loop", "huge")} | {"WEB-2/1.1/…"}


def test_of_a_month_of_the_audit_whole_lines_are_taken_though_somebody_writes(site, pco):
    furnish(site)

    pco("pco-backup")

    for name, data in packed(newest(site), "audit").items():
        lines = data.splitlines()
        hashes = [audit.BEGINNING, *(audit.line_hash(line) for line in lines)]
        if name == "2026-11.jsonl":
            assert [json.loads(line)["prev"] for line in lines[:3]] == hashes[:3]


# Retention.


def age(site, days):
    """Make the newest backup so old."""
    old = newest(site)
    made = backups.time_of(old.name)
    renamed = old.with_name(backups.name_of(made - timedelta(days=days)))
    old.rename(renamed)
    return renamed.name


def test_what_is_older_than_a_week_goes_and_what_is_younger_stays(site, pco):
    pco("pco-backup")
    too_old = age(site, 8)
    pco("pco-backup")
    young = age(site, 6)

    pco("pco-backup")

    names = backups.names(site.home / "backups")
    assert len(names) == 2
    assert young in names and too_old not in names


def test_the_newest_one_stays_however_old_it_is_as_long_as_there_is_no_other(site, pco):
    pco("pco-backup")
    only = age(site, 400)
    (site.home / "spool/tmp").rmdir()

    pco("pco-backup", code=71)

    assert backups.names(site.home / "backups") == [only]


# What goes wrong.


def test_a_backup_that_fails_is_told_of_and_nothing_of_it_stays(site, pco):
    pco("pco-backup")
    before = backups.names(site.home / "backups")
    (site.home / "spool/tmp").rmdir()

    said = pco("pco-backup", code=71).stderr

    assert "there is no new backup" in said
    assert backups.names(site.home / "backups") == before
    assert [p.name for p in (site.home / "backups").iterdir()] == before
    assert notices(site) == ["backup failed"]
    stands = backups.standing(site.home / "metrics", "made")
    assert stands.failing and stands.good is not None and stands.good.name == before[0]
    assert stands.bad is not None and "tmp" in stands.bad.note


def test_what_a_killed_run_left_goes_with_the_next(site, pco):
    furnish(site)
    (site.home / "backups/.20260101T000000Z").mkdir(parents=True)
    (site.home / "backups/.20260101T000000Z/spool.tar.gz").write_text("half")
    (site.home / "spool/tmp/snapshot.1/pending").mkdir(parents=True)
    os.link(site.spool().path("WEB-1", State.PENDING), site.home / "spool/tmp/snapshot.1/pending/WEB-1.json")

    pco("pco-backup")

    assert leftovers(site) == []
    assert site.spool().path("WEB-1", State.PENDING).stat().st_nlink == 1


def test_two_at_the_same_time_are_one(site, pco):
    with site.spool("pco-backup").alone():
        pco("pco-backup", code=75)

    assert not (site.home / "backups").exists() or backups.names(site.home / "backups") == []


def test_a_broken_mirror_is_told_and_keeps_no_ticket_out_of_the_backup(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    mirror(site, "WEB-1")
    for path in (site.home / "mirrors" / f"{WEB}.git" / "objects").glob("??"):
        for file in path.iterdir():
            file.unlink()

    said = pco("pco-backup", code=65).stderr

    assert f"{WEB}.git: its branches are not in the backup" in said
    assert manifest(site)["counts"] == {"pending": 1}
    assert not list(newest(site).glob("*.bundle"))


# Carrying it away.


def test_a_hook_gets_the_path_as_argument_and_all_about_it_on_standard_input(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    hook(site, "10-copy", f'cp -r "$1" {site.home}/away; cat >{site.home}/told; env >{site.home}/env')

    pco("pco-backup")

    backup = newest(site)
    told = json.loads((site.home / "told").read_text())
    digest = hashlib.sha256((backup / "manifest.json").read_bytes()).hexdigest()
    assert {name: told[name] for name in ("schema", "event", "name", "path", "tickets", "sha256")} == {
        "schema": 1,
        "event": "backup",
        "name": backup.name,
        "path": str(backup),
        "tickets": 1,
        "sha256": digest,
    }
    assert (site.home / "away/manifest.json").read_bytes() == (backup / "manifest.json").read_bytes()
    assert "PCO_CONFIG" not in (site.home / "env").read_text()
    stands = backups.standing(site.home / "metrics", "offsite")
    assert stands.good is not None and (stands.good.name, stands.good.note) == (backup.name, "10-copy")


def test_a_hook_that_fails_is_told_of_and_does_not_count_as_carried_away(site, pco):
    hook(site, "20-good", "true")
    hook(site, "10-bad", "echo no such host >&2; exit 3")

    said = pco("pco-backup", code=69).stderr

    assert "10-bad did not carry it away: exit 3: no such host" in said
    stands = backups.standing(site.home / "metrics", "offsite")
    assert stands.good is None and stands.failing
    assert backups.standing(site.home / "metrics", "made").good is not None


def test_a_hook_that_hangs_is_ended(site, pco):
    hook(site, "10-slow", "sleep 600")
    site.configure(backup={"hook_within": "200ms"})

    said = pco("pco-backup", code=75).stderr

    assert "did not end within 0.2 s" in said


def test_a_hook_that_others_can_change_is_not_run(site, pco):
    hook(site, "10-open", f"touch {site.home}/ran", 0o777)

    said = pco("pco-backup", code=65).stderr

    assert "hooks.d/backup/10-open is not run: others than root can write to" in said
    assert not (site.home / "ran").exists()


def test_it_can_be_carried_away_once_more_without_a_new_one(site, pco):
    pco("pco-backup")
    hook(site, "10-copy", f'echo "$1" >{site.home}/away')

    pco("pco-backup", "--off-site")

    assert (site.home / "away").read_text() == f"{newest(site)}\n"
    assert len(backups.names(site.home / "backups")) == 1
