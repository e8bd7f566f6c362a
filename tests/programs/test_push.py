"""pco-push: the branches of finished tickets, once, and never over what somebody else pushed."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from githttp import serve
from pco.ground.ticket import State
from programs.pushing import Desk, git
from support import TOP

USER, TOKEN = "bot", "tok_9f41c7e2a8"


@pytest.fixture
def desk(site, tmp_path):
    return Desk(site, tmp_path)


def test_the_branch_of_a_completed_ticket_is_pushed_and_recorded_once(desk):
    tip = desk.finished()

    said = desk.push()

    assert desk.there() == tip
    assert (desk.pushed().outcome, desk.pushed().commit, desk.pushed().url) == ("done", tip, str(desk.remote))
    assert f"WEB-1: pushed commit={tip} branch=pco/WEB-1" in said
    assert desk.audited() == [("pushed", "WEB-1")]
    before = desk.read("WEB-1")
    assert desk.push() == ""
    assert desk.read("WEB-1") == before


@pytest.mark.parametrize("where", ["message", "file", "binary file", "name of a file", "taken out again", "taken away"])
def test_commits_with_the_credential_in_them_are_not_pushed_wherever_it_is(desk, where):
    (desk.credentials / "git-push").write_text("https://bot:no-form-at-all@git.example.org\n")
    name, content = "x", {"binary file": b"\0\1no-form-at-all\0"}.get(where, b"it is no-form-at-all\n")
    if where == "name of a file":
        name, content = "no-form-at-all", b"x"
    git(desk.checkout, "checkout", "-q", "main")
    if where == "message":
        desk.commit("- it is no-form-at-all")
    else:
        (desk.checkout / name).write_bytes(content)
        git(desk.checkout, "add", "-A")
        desk.commit("with it")
    if where.startswith("taken"):
        if where == "taken away":  # it was there before the session began
            git(desk.checkout, "push", "-q", str(desk.mirror), "HEAD:main")
            git(desk.checkout, "push", "-q", str(desk.remote), "HEAD:main")
        (desk.checkout / name).unlink()
        git(desk.checkout, "add", "-A")
        desk.commit("without it")
    tip = desk.finished(start="HEAD")

    said = desk.push(code=0 if where == "taken away" else 65, CREDENTIALS_DIRECTORY=str(desk.credentials))

    assert "no-form-at-all" not in said
    if where == "taken away":
        assert desk.there() == tip
        return
    assert desk.there() == "" and desk.pushed().outcome == "refused"
    assert desk.pushed().why == "its commits have the credential git-push in them"


def test_the_comment_says_where_the_changes_are_once_they_are_there(desk):
    desk.finished()
    assert "pushed      not yet" in desk.run("show", "WEB-1").stdout

    desk.push()
    said = desk.run("show", "WEB-1").stdout
    accepted = desk.run("post", "WEB-1", "--yes")

    assert f"pushed      to {desk.remote}" in said
    assert 'href="https://git.example.org/web/compare/main...pco/WEB-1"' in desk.read("WEB-1").round.post.body
    assert accepted.stderr == ""
    assert "push" not in desk.flags()


def test_a_branch_that_arrives_while_a_person_reads_is_in_the_comment_that_is_shown_then(desk):
    desk.finished()
    with desk.terminal("post", "WEB-1") as screen:
        assert "git.example.org" not in screen.until("[y/N]")
        desk.push()
        screen.type("y\n")
        assert "https://git.example.org/web/compare/main...pco/WEB-1" in screen.until("[y/N]")
        screen.type("y\n")
        screen.end()

    assert "compare/main...pco/WEB-1" in desk.read("WEB-1").round.post.body


def test_a_try_that_fails_while_a_person_reads_changes_nothing_for_them(desk):
    desk.finished()
    desk.remote.rename(desk.folder / "away")
    with desk.terminal("post", "WEB-1") as screen:
        screen.until("[y/N]")
        desk.push(code=75)
        screen.type("y\n")
        assert "WEB-1: completed -> outbox" in screen.end()


@pytest.mark.parametrize("rewritten", [False, True])
def test_another_round_moves_the_branch_that_pco_pushed(desk, rewritten):
    desk.finished()
    desk.push()
    if rewritten:
        git(desk.checkout, "reset", "-q", "--hard", "main")
    second = desk.commit("again")
    desk.take_in("WEB-1")
    desk.next_round("WEB-1", second)

    desk.push()

    assert desk.there() == desk.pushed().commit == second


def test_what_somebody_else_pushed_is_left_alone_and_that_is_said(desk):
    desk.finished()
    desk.push()
    git(desk.checkout, "checkout", "-q", "--detach")
    theirs = desk.commit("theirs, on top")
    git(desk.checkout, "push", "-q", str(desk.remote), "HEAD:refs/heads/pco/WEB-1")
    git(desk.checkout, "checkout", "-q", "pco/WEB-1")
    second = desk.commit("again")
    desk.take_in("WEB-1")
    desk.next_round("WEB-1", second)

    said = desk.push(code=65)

    assert desk.there() == theirs
    assert f"push refused branch=pco/WEB-1 url={desk.remote} why=somebody else pushed to pco/WEB-1 there" in said
    assert theirs[:10] in desk.pushed().why
    assert re.search(r"pushed +refused \d+s ago, and not tried again: somebody else", desk.run("show", "WEB-1").stdout)
    assert (desk.site.home / "spool" / "notify" / "push-WEB-1.json").exists()
    assert desk.push() == ""
    accepted = desk.run("post", "WEB-1", "--yes").stderr
    assert "pco/WEB-1 is not pushed (somebody else" in accepted
    assert "compare" not in desk.read("WEB-1").round.post.body


def test_a_branch_that_was_there_before_pco_is_left_alone(desk):
    git(desk.checkout, "checkout", "-q", "-B", "pco/WEB-1", "main")
    theirs = desk.commit("theirs")
    git(desk.checkout, "push", "-q", str(desk.remote), "pco/WEB-1")
    desk.finished()

    desk.push(code=65)

    assert desk.there() == theirs


def test_a_person_asks_for_another_try_and_gets_it(desk):
    test_a_branch_that_was_there_before_pco_is_left_alone(desk)
    git(desk.remote, "update-ref", "-d", "refs/heads/pco/WEB-1")

    assert desk.out("push", "WEB-1") == ["WEB-1: pco-push is asked to push pco/WEB-1"]
    assert "push" in desk.flags()
    desk.push()

    assert desk.there() == desk.pushed().commit
    assert os.listdir(desk.site.home / "spool" / "control" / "push") == []


def test_a_branch_that_somebody_removed_comes_back_if_a_person_asks(desk):
    tip = desk.finished()
    desk.push()
    git(desk.remote, "update-ref", "-d", "refs/heads/pco/WEB-1")
    assert desk.push() == "" and desk.there() == ""

    desk.run("push", "WEB-1")
    desk.push()

    assert desk.there() == tip


def test_somebody_who_pushes_in_the_same_moment_wins(desk):
    desk.finished()
    git(desk.checkout, "checkout", "-q", "--detach", "main")
    theirs = desk.commit("theirs")
    theirs_first = f"PATH=/usr/bin:/bin git -C {desk.checkout} push -q {desk.remote} {theirs}:refs/heads/pco/WEB-1"
    quick = f'case "$*" in *" push "*) {theirs_first};; esac'

    said = desk.push(code=75, PATH=desk.wrapped(before=quick))

    assert desk.there() == theirs
    assert "somebody pushed to it in this moment" in said


def test_a_remote_that_is_away_is_tried_again_later_and_nobody_waits_for_it(desk):
    tip = desk.finished()
    desk.finished("WEB-2")
    desk.remote.rename(desk.folder / "away")

    said = desk.push(code=75)

    assert said.count("is not pushed") == 1, "the second one of the same remote is not even tried"
    assert "; tried again in 1m" in said
    (key,) = [key for key in ("WEB-1", "WEB-2") if desk.pushed(key)]
    assert (desk.pushed(key).outcome, desk.pushed(key).tries) == ("later", 1)
    assert re.search(r"pushed +not yet, tried 1 time, last \d+s ago: fatal", desk.run("show", key).stdout)
    accepted = desk.run("post", "WEB-1", "--yes")
    assert "pco/WEB-1 is not pushed yet" in accepted.stderr and "goes on trying" in accepted.stderr
    assert desk.read("WEB-1").state is State.OUTBOX
    assert "compare" not in desk.read("WEB-1").round.post.body

    (desk.folder / "away").rename(desk.remote)
    desk.push()

    assert desk.there() == tip and desk.pushed().outcome == "done"
    assert desk.read("WEB-1").state is State.OUTBOX


def test_before_its_time_nothing_is_tried_again(desk):
    desk.finished()
    desk.remote.rename(desk.folder / "away")
    desk.push(code=75)

    assert desk.push() == ""
    desk.earlier()
    assert "tried again in 2m" in desk.push(code=75)
    assert "tried again in 4m" in desk.push("WEB-1", code=75)


def test_a_posted_ticket_is_pushed_if_that_was_promised_when_it_was_accepted(desk):
    desk.finished("WEB-1", State.POSTED)
    assert desk.push() == ""
    desk.spool.control.ask_push("WEB-1", "ann", desk.read("WEB-1").history[-1].at)

    desk.push()

    assert desk.there() and desk.pushed().outcome == "done"
    assert desk.read("WEB-1").state is State.POSTED


def test_killed_between_the_push_and_the_record_it_is_pushed_again_and_nothing_happens(desk):
    tip = desk.finished()
    kill = 'case "$*" in *" push "*) kill -9 $PPID;; esac'

    desk.push(code=-signal.SIGKILL, PATH=desk.wrapped(after=kill))
    assert desk.there() == tip and desk.pushed() is None
    desk.push(PATH=desk.wrapped(before='case "$*" in *" push "*) exit 1;; esac'))

    assert desk.there() == desk.pushed().commit == tip


def test_killed_before_the_record_and_reworked_since_the_branch_is_still_known_as_pcos_own(desk):
    desk.finished()
    desk.push(code=-signal.SIGKILL, PATH=desk.wrapped(after='case "$*" in *" push "*) kill -9 $PPID;; esac'))
    git(desk.checkout, "reset", "-q", "--hard", "main")
    second = desk.commit("all anew")
    desk.take_in("WEB-1")
    desk.next_round("WEB-1", second)

    desk.push()

    assert desk.there() == second


def test_a_server_that_does_not_take_it_is_not_asked_again(desk):
    desk.finished()
    hook = desk.remote / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho 'Branches of machines are not allowed.' >&2\nexit 1\n")
    hook.chmod(0o755)
    git(desk.remote, "config", "core.hooksPath", str(hook.parent))

    desk.push(code=65)

    assert desk.there() == ""
    assert "hook declined" in desk.pushed().why and "Branches of machines are not allowed." in desk.pushed().why
    assert desk.push() == ""


def set_traps(desk):
    """Have the mirror name programs that git could run."""
    desk.program("trap", f"#!/bin/sh\ntouch {desk.folder}/sprung\n")
    trap = f"{desk.folder}/bin/trap"
    hooks = desk.mirror / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-push", "reference-transaction", "post-index-change"):
        (hooks / name).symlink_to(trap)
    for name, value in (("credential.helper", f"!{trap}"), ("core.fsmonitor", trap), ("core.hooksPath", str(hooks))):
        git(desk.mirror, "config", name, value)


def test_nothing_that_lies_in_the_mirror_is_run(desk):
    desk.finished()
    set_traps(desk)

    desk.push()

    assert desk.there()
    assert not (desk.folder / "sprung").exists()


def test_without_a_project_that_wants_it_nothing_is_looked_at(desk):
    desk.project(push=False)
    desk.finished()
    desk.spool.control.wake("push")
    (desk.site.home / "spool" / "completed" / "WEB-9.json").write_text("torn")

    assert desk.push(PATH=desk.wrapped(before="exit 1")) == ""

    assert desk.there() == "" and "push" not in desk.flags()
    assert "does not have its branches pushed" in desk.run("push", "WEB-1", code=65).stderr
    assert "pushed" not in desk.run("show", "WEB-1").stdout
    assert desk.run("post", "WEB-1", "--yes").stderr == ""


def test_finished_tickets_are_not_looked_at(desk):
    for n in range(50):
        (desk.site.home / "spool" / "posted" / f"WEB-{n + 100}.json").write_text("torn")

    assert desk.push() == ""


def test_an_unreadable_ticket_is_set_aside_and_the_others_are_pushed(desk):
    desk.finished()
    (desk.site.home / "spool" / "completed" / "WEB-9.json").write_text("torn")

    desk.push(code=65)

    assert desk.there()
    assert desk.spool.find("WEB-9") is State.CORRUPT


def test_commits_that_the_mirror_has_not_are_refused(desk):
    desk.finished()
    ticket = desk.read("WEB-1")
    desk.spool.record(ticket.with_round(work=replace(ticket.round.work, tip="9" * 40)))

    assert "its commits are not in the mirror" in desk.push(code=65)


def test_a_dry_run_pushes_nothing(desk):
    tip = desk.finished()
    desk.finished("WEB-2")
    desk.push("WEB-2")

    said = desk.push("--dry-run").splitlines()

    assert f"WEB-1: {tip[:10]} would be pushed as pco/WEB-1 to {desk.remote}" in said
    assert any(line.startswith("WEB-2: done ") for line in said)
    assert desk.there() == ""


# The credential.


@pytest.fixture
def http(desk):
    """The remote, behind a password."""
    git(desk.remote, "config", "http.receivepack", "true")
    server = serve(str(desk.folder), 0, USER, TOKEN)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    desk.host = f"127.0.0.1:{server.server_port}"
    desk.project(push_url=f"http://{desk.host}/remote.git")
    yield server
    server.shutdown()
    server.server_close()


def given(desk, content: str) -> dict[str, str]:
    """The credential as a unit has it."""
    (desk.credentials / "git-push").write_text(content)
    return {"CREDENTIALS_DIRECTORY": str(desk.credentials)}


def test_a_token_goes_to_git_and_appears_nowhere(desk, http):
    tip = desk.finished()
    log = desk.folder / "log"
    spy = f'echo "$@" >>{log}; env >>{log}'
    strace = ["strace", "-f", "-qq", "-v", "-s", "4096", "-e", "trace=execve", "-o", str(desk.folder / "calls")]
    environment = given(desk, f"https://{USER}:other@{desk.host}\nhttp://{USER}:{TOKEN}@{desk.host}\n")
    environment |= {**desk.site.environment(), "PATH": desk.wrapped(before=spy)}

    command = [*strace, sys.executable, str(TOP / "bin" / "pco-push"), "-vv"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert desk.there() == tip
    calls = (desk.folder / "calls").read_text()
    assert "--credential" in calls and " push " in log.read_text()
    record = desk.spool.path("WEB-1", State.COMPLETED).read_text()
    for said in (calls, log.read_text(), done.stdout, done.stderr, record, str(desk.audited())):
        assert TOKEN not in said
    assert TOKEN not in git(desk.mirror, "config", "--list")


def test_who_keeps_passwords_for_the_mirror_is_not_asked(desk, http):
    desk.finished()
    set_traps(desk)

    desk.push(**given(desk, f"http://{USER}:{TOKEN}@{desk.host}\n"))

    assert desk.there()
    assert not (desk.folder / "sprung").exists()


@pytest.mark.parametrize(
    "content",
    ["\n", "http://bot:wrong@{host}\n", "http://bot:{token}@elsewhere.example\n", "https://bot:{token}@{host}\n"],
)
def test_a_token_that_does_not_fit_is_a_matter_of_permission_and_is_not_shown(desk, http, content):
    desk.finished()

    said = desk.push(code=77, **given(desk, content.format(host=desk.host, token=TOKEN)))

    assert desk.there() == ""
    assert "credential git-push: see pco-push(1)" in said
    assert TOKEN not in said and "wrong" not in said
    assert desk.pushed().outcome == "later"


def test_a_key_of_ssh_is_named_by_its_path(desk):
    tip = desk.finished()
    log = desk.folder / "ssh"
    # What stands at the other end of a connection.
    path = desk.program("ssh", f'#!/bin/sh\necho "$@" >>{log}\nfor last; do :; done\nexec sh -c "$last"\n')
    desk.project(push_url=f"git@git.example.org:{desk.remote}")

    desk.push(PATH=path, **given(desk, "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n"))

    assert desk.there() == tip
    lines = log.read_text().splitlines()
    assert len(lines) == 2
    assert all(f"-oIdentitiesOnly=yes -oIdentityAgent=none -i {desk.credentials}/git-push" in line for line in lines)
    assert "c2VjcmV0" not in log.read_text()


def test_a_host_that_lets_nobody_in_is_a_matter_of_permission(desk):
    desk.finished()
    path = desk.program("ssh", "#!/bin/sh\necho 'git@git.example.org: Permission denied (publickey).' >&2\nexit 255\n")
    desk.project(push_url="git@git.example.org:web.git")

    said = desk.push(code=77, PATH=path)

    assert "Permission denied (publickey)" in said and "there is no credential git-push" in said


def test_the_helper_answers_only_git_and_only_with_a_credential(desk):
    environment = {**desk.site.environment(), **given(desk, f"https://{USER}:{TOKEN}@git.example.org\n")}

    def asked(what: str, question: str, env=environment) -> str:
        return desk.site.run("pco-push", "--credential", what, input=question, env=env).stdout

    right = "protocol=https\nhost=git.example.org\n\n"
    assert asked("get", right) == f"username={USER}\npassword={TOKEN}\n"
    assert asked("get", right.replace("https", "http")) == ""
    assert asked("get", right.replace("org", "com")) == ""
    assert asked("get", f"username=eve\n{right}") == ""
    assert asked("store", right) == asked("erase", right) == ""
    assert asked("get", right, desk.site.environment()) == ""
