"""From Plane into the spool and back into Plane, by the installed units alone."""

import re
from collections.abc import Iterator

import pytest
from inside import REPOSITORY
from installed import CONFIG, WEB, Installed, booted

AGENT = """\
#!/bin/sh
cat >prompt && echo "Cached for an hour." >NOTES && git add NOTES && git commit -qm "Note on the cache"
pco-complete "The cache is **kept** for an hour."
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own whose pco polls a simulated Plane every three seconds."""
    with booted("c") as pco:
        pco.configure()
        pco.host.exec("bash", "-c", REPOSITORY)
        pco.host.write("/srv/agent", AGENT, "755")
        pco.host.write("/etc/pco/pco.yaml", CONFIG.replace("[/bin/true]", "[/srv/agent]"))
        pco.simulate()
        pco.host.systemctl("enable", "--now", "pco.target")
        # The first poll only takes stock: tickets come of what is new after it.
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


def new_ticket(pco: Installed, name: str) -> str:
    """An item that somebody creates in Plane, once it is pending here."""
    key = pco.maria(f"maria.key(maria.create({name!r}, state='Todo'))")
    pco.wait(f"{key} pending", lambda: pco.states().get(key) == "pending")
    return key


def test_an_item_created_in_plane_is_pending_after_the_next_poll(pco):
    key = new_ticket(pco, "Fix the cache")

    assert key in pco.run("pco-queue", "list")
    lines = [entry["MESSAGE"] for entry in pco.host.journal("-u", "pco-poll.service")]
    assert any(f"{key}: new -> pending" in line for line in lines)


def test_a_ticket_goes_all_the_way_from_plane_to_plane_by_units_alone(pco):
    key = new_ticket(pco, "Keep the cache longer")
    before = pco.maria(f"maria.state({key!r})")

    pco.run("pco-queue", "approve", "--yes", key)
    pco.wait("completed", lambda: pco.states().get(key) == "completed")
    pco.run("pco-queue", "post", "--yes", key)
    pco.wait("posted", lambda: bool(pco.host.journal(f"PCO_KEY={key}", "PCO_STATE=posted")))

    assert pco.states()[key] == "posted"
    comments = pco.maria(f"[row['comment_html'] for row in maria.comments({key!r})]")
    assert comments.count("The cache is <strong>kept</strong> for an hour.") == 1
    assert (before, pco.maria(f"maria.state({key!r})")) == ("Todo", "In Progress")
    begun = pco.host.journal(f"UNIT=pco-session@{key}.service", "JOB_TYPE=start", "JOB_RESULT=done")
    assert len(begun) == 1
    branch = ("git", "-c", "safe.directory=*", "log", "-1", "--format=%s", f"pco/{key}")
    mirror = f"/var/lib/pco/mirrors/{WEB}.git"
    assert (
        pco.host.exec("runuser", "-u", "pco", "--", *branch[:1], "-C", mirror, *branch[1:]).stdout
        == "Note on the cache\n"
    )
    moves = [e["MESSAGE"] for e in pco.host.journal(f"PCO_KEY={key}") if "->" in str(e["MESSAGE"])]
    way = [re.search(r"(\w+) -> (\w+)", line).groups() for line in moves]
    assert [to for _, to in way] == ["pending", "approved", "active", "completed", "outbox", "posted"]
    left = pco.host.systemctl(
        "list-units", "--all", "--no-legend", "--plain", f"pco-session@{key}*", f"pco-collect*@{key}*"
    )
    processes = pco.host.exec("pgrep", "-u", f"pco-{key}", "-a", code=None).stdout
    assert (left, processes, pco.failed()) == ("", "", "")


def test_a_move_shows_on_the_board_without_any_timer(pco):
    key = new_ticket(pco, "Show me")

    page = f"/var/lib/pco/www/ticket/{key}.html"
    pco.wait("the page", lambda: not pco.host.exec("test", "-s", page, code=None).returncode)

    assert pco.host.exec("stat", "-c", "%A %U:%G", "/var/lib/pco/www").stdout == "drwxr-s--- pco:www-data\n"
    assert pco.host.exec("runuser", "-u", "www-data", "--", "cat", page).stdout.count("Show me")


def test_what_a_member_moves_under_any_umask_stays_readable_for_pco(pco):
    key = new_ticket(pco, "Never mind")

    pco.run("pco-queue", "reject", key, "--yes", "--note", "not now")
    mode = pco.host.exec("stat", "-c", "%a %G", f"/var/spool/pco/rejected/{key}.json").stdout

    assert mode == "660 pco\n"
    assert pco.python("import sys; open(sys.argv[1]).read()", f"/var/spool/pco/rejected/{key}.json", user="pco")


def test_an_accepted_summary_is_posted_once_as_soon_as_it_is_accepted(pco):
    key = new_ticket(pco, "Say something")
    pco.place(key, "failed")

    pco.run("pco-queue", "post", key, "--yes", "--summary", "Done by hand.")
    pco.wait("the post", lambda: pco.states().get(key) == "posted", patience=8)

    comments = pco.maria(f"[row['comment_html'] for row in maria.comments({key!r})]")
    assert comments.count("Done by hand.") == 1


def test_a_session_that_ended_with_an_earlier_boot_is_noticed_when_somebody_rings(pco):
    key = new_ticket(pco, "Gone with the machine")
    pco.host.systemctl("stop", "pco-poll.timer", "pco-poll.service")  # nobody has approved it: a poll sends it back
    try:
        pco.place(key, "active")

        pco.run("sh", "-c", "echo >/run/pco/trigger")
        moved = f"{key}: active -> approved"
        pco.wait("the watcher", lambda: moved in str(pco.host.journal("-u", "pco-watch")))

        assert pco.states()[key] == "approved"
    finally:
        pco.host.systemctl("start", "pco-poll.timer")


def test_an_outsider_sees_nothing_of_the_spool(pco):
    pco.host.exec("useradd", "mallory")

    done = pco.host.exec("runuser", "-u", "mallory", "--", "ls", "/var/spool/pco/pending", code=None)

    assert done.returncode != 0
    assert "Permission denied" in done.stderr


def test_status_tells_a_person_what_the_watcher_sees(pco):
    shown = pco.host.show("pco-watch", "StatusText", "ActiveState", "NRestarts")

    assert re.fullmatch(r"nothing to do|\d+ approved tickets? waits?", shown["StatusText"])
    assert (shown["ActiveState"], shown["NRestarts"]) == ("active", "0")


def test_the_tools_run_in_a_slice_beside_that_of_the_sessions(pco):
    group = pco.host.show("pco-watch", "ControlGroup")["ControlGroup"]

    assert group == "/pco.slice/pco-tools.slice/pco-watch.service"


def test_a_silent_plane_is_no_failed_unit_and_the_poll_goes_on_when_it_is_back(pco):
    pco.host.systemctl("stop", "plane.service")
    pco.wait("a poll that fails", lambda: "no connection" in str(pco.host.journal("-u", "pco-poll", "-p", "err")))
    pco.wait("its end", lambda: pco.host.show("pco-poll", "ActiveState")["ActiveState"] != "active")

    failed = pco.failed()
    pco.host.systemctl("start", "plane.service")

    assert failed == ""
    assert new_ticket(pco, "After the silence")


def test_after_a_power_cut_everything_runs_again_with_its_tickets(pco):
    key = new_ticket(pco, "Before the cut")
    before = pco.states()

    pco.host.cut()
    pco.host.start()

    assert {name: state for name, state in pco.states().items() if name in before} == before
    assert before[key] == "pending"
    assert new_ticket(pco, "After the cut")
    assert pco.host.show("pco-watch", "ActiveState")["ActiveState"] == "active"


def test_nothing_has_failed(pco):
    assert pco.failed() == ""


def test_a_wake_up_that_nobody_can_serve_ends_instead_of_spinning(pco):
    pco.host.exec("mv", "/etc/pco/credentials/plane-token", "/etc/pco/credentials/gone")

    pco.run("touch", "/var/spool/pco/wake/post")
    pco.wait("the end of it", lambda: pco.host.show("pco-post.path", "ActiveState")["ActiveState"] == "failed")

    assert pco.host.show("pco-post.timer", "ActiveState")["ActiveState"] == "active"
    assert pco.host.show("pco-post.path", "Result")["Result"].endswith("-limit-hit")
