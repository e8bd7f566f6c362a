"""Mirrors, workspaces, and the bundles between them, with a real git and hostile repositories."""

import os
import shutil
import socket
import stat
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from pco.ground.errors import BadConfig, BadData, SystemFault, TryLater, Unavailable
from pco.outside import bundles, gitlocks
from pco.outside import git as outside
from pco.outside.git import Mirror, branch_of
from pco.outside.workspace import Workspace

SOON = timedelta(seconds=30)
WHO = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")
ROOT = os.getuid() == 0


def git(folder, *args, code=0, **more):
    """A person's git; returns what it printed."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    result = subprocess.run(
        ["git", *WHO, *args], cwd=folder, env=environment, capture_output=True, text=True, check=False, **more
    )
    assert result.returncode == code, result.stderr
    return result.stdout.strip()


def commit(folder, name="file", content="x\n", message="Change"):
    """One commit; returns its id."""
    (folder / name).write_text(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def tips(folder):
    """The branches of a repository and their commits."""
    return dict(row.split()[::-1] for row in git(folder, "show-ref", "--heads").splitlines())


@pytest.fixture
def upstream(tmp_path):
    """A repository with one commit on main."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder, message="First")
    return folder


@pytest.fixture
def mirror(tmp_path, upstream):
    """A fresh mirror of it."""
    made = Mirror(tmp_path / "mirrors" / "web.git", str(upstream))
    made.folder.parent.mkdir()
    made.refresh(SOON)
    return made


@pytest.fixture
def workspace(tmp_path, mirror):
    """A workspace of WEB-1 made from it."""
    made = Workspace(tmp_path / "work" / "workspace")
    made.folder.parent.mkdir()
    made.clone(mirror.folder, "main", "pco/WEB-1", SOON)
    return made


def bundled(workspace, tmp_path):
    """The bundle of the workspace's branch."""
    assert workspace.bundle(tmp_path / "work.bundle", "pco/WEB-1")
    return tmp_path / "work.bundle"


def made_long_ago(folder):
    """Have all objects of a repository look as if they had been there for a day."""
    for path in (folder / "objects").rglob("*"):
        os.utime(path, times=(0, os.stat(path).st_mtime - 86_400))


# The mirror.


def test_a_mirror_has_the_branches_of_upstream_and_follows_them(mirror, upstream):
    git(upstream, "checkout", "-q", "-b", "topic")
    topic = commit(upstream)
    mirror.refresh(SOON)
    assert mirror.tip("topic") == topic
    assert mirror.tip("main") == mirror.start_point("main") != topic

    git(upstream, "checkout", "-q", "main")
    git(upstream, "branch", "-q", "-D", "topic")
    git(upstream, "commit", "-q", "--amend", "-m", "Rewritten")
    mirror.refresh(SOON)

    assert mirror.tip("topic") is None
    assert mirror.tip("main") == git(upstream, "rev-parse", "main")


def test_the_branches_of_pco_stay_in_the_mirror_and_those_of_upstream_do_not_come(mirror, upstream):
    main = git(upstream, "rev-parse", "main")
    git(mirror.folder, "update-ref", "refs/heads/pco/WEB-1", main)
    newer = commit(upstream)
    git(upstream, "branch", "pco/WEB-1", newer)
    git(upstream, "branch", "pco/WEB-2", newer)

    mirror.refresh(SOON)

    assert mirror.tip("pco/WEB-1") == main
    assert mirror.tip("pco/WEB-2") is None
    assert mirror.tip("main") == newer


def test_a_branch_of_upstream_called_pco_does_not_stand_in_the_way(tmp_path, upstream):
    git(upstream, "branch", "pco")
    mirror = Mirror(tmp_path / "web.git", str(upstream))
    mirror.refresh(SOON)

    git(mirror.folder, "update-ref", "refs/heads/pco/WEB-1", mirror.start_point("main"))

    assert mirror.tip("pco") is None


def test_a_mirror_is_for_the_group_to_read_without_any_bit_that_a_sandbox_refuses(tmp_path, upstream):
    before = os.umask(0o077)
    try:
        mirror = Mirror(tmp_path / "web.git", str(upstream))
        mirror.refresh(SOON)
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (mirror.folder, *mirror.folder.rglob("*"))}

    assert modes <= {0o750, 0o640, 0o440}


def test_a_mirror_that_was_made_halfway_is_finished(tmp_path, upstream):
    folder = tmp_path / "web.git"
    folder.mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")

    Mirror(folder, str(upstream)).refresh(SOON)

    assert Mirror(folder, "").tip("main")


def test_what_a_crash_left_of_a_mirror_that_has_no_name_yet_is_in_nobodys_way(tmp_path, upstream):
    made = Mirror(tmp_path / "mirrors" / "web.git", str(upstream))
    half = made.folder.with_name(".web.git.new")
    half.mkdir(parents=True)
    (half / "HEAD").touch()

    made.refresh(SOON)

    assert tips(made.folder) == tips(upstream)
    assert [path.name for path in made.folder.parent.iterdir()] == ["web.git"]


@pytest.mark.parametrize(
    "left",
    [
        ["refs/heads/main.lock"],
        ["config.lock"],
        ["packed-refs.lock"],
        ["packed-refs.lock", "packed-refs.new"],
        ["packed-refs.new"],
        ["refs/heads/old.lock"],
        ["objects/maintenance.lock"],
    ],
    ids=" ".join,
)
def test_a_lock_that_a_power_cut_left_in_a_mirror_is_in_nobodys_way(mirror, upstream, left):
    git(upstream, "branch", "old")
    mirror.refresh(SOON)
    git(mirror.folder, "pack-refs", "--all")
    git(upstream, "branch", "-D", "old")
    commit(upstream, message="Second")
    for lock in left:
        (mirror.folder / lock).touch()

    mirror.refresh(SOON)

    assert tips(mirror.folder) == tips(upstream)
    assert "objects/maintenance.lock" not in left or not (mirror.folder / left[0]).exists()


@pytest.mark.parametrize(
    "left", ["objects/info/commit-graph.lock", "gc.pid.lock", "gc.pid", "packed-refs.new", "objects/maintenance.lock"]
)
def test_a_branch_is_forgotten_whatever_an_earlier_gc_left_locked(mirror, upstream, left):
    git(mirror.folder, "update-ref", "refs/heads/pco/WEB-1", "main")
    (mirror.folder / left).parent.mkdir(exist_ok=True)
    # What gc.pid says is one that lives, and is no git.
    (mirror.folder / left).write_text(f"{os.getpid()} {socket.gethostname()}")

    assert mirror.forget("pco/WEB-1", SOON)

    assert not mirror.holds("pco/WEB-1")


def test_a_branch_whose_commits_could_not_be_removed_is_still_held_until_they_are(mirror, workspace, tmp_path):
    tip = commit(workspace.folder, "a")
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)
    made_long_ago(mirror.folder)
    lock = mirror.folder / "gc.pid.lock"
    lock.touch()
    with gitlocks.at_work(mirror.folder), pytest.raises(TryLater, match="not removed yet"):
        mirror.forget("pco/WEB-1", SOON)
    assert mirror.tip("pco/WEB-1") is None
    assert mirror.has(tip)
    assert mirror.holds("pco/WEB-1")

    mirror.forget("pco/WEB-1", SOON)

    assert not mirror.has(tip)
    assert not mirror.holds("pco/WEB-1")


@pytest.mark.parametrize("lock", ["index.lock", "objects/info/commit-graph.lock", "packed-refs.new"])
def test_a_lock_that_a_killed_session_left_in_its_workspace_is_in_nobodys_way(workspace, mirror, lock):
    (workspace.folder / ".git" / lock).parent.mkdir(exist_ok=True)
    (workspace.folder / ".git" / lock).touch()

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)

    assert not (workspace.folder / ".git" / lock).exists()


def test_all_branches_of_a_bundle_are_set_though_a_lock_was_left_on_one(mirror, upstream, tmp_path):
    for key in ("WEB-1", "WEB-2"):
        git(mirror.folder, "update-ref", f"refs/heads/pco/{key}", "main")
    bundles.write(mirror, tmp_path / "all.bundle")
    empty = Mirror(tmp_path / "mirrors" / "new.git", str(upstream))
    empty.make()
    (empty.folder / "refs" / "heads" / "pco").mkdir()
    (empty.folder / "refs" / "heads" / "pco" / "WEB-1.lock").touch()

    with open(tmp_path / "all.bundle", "rb") as bundle:
        taken = bundles.take(empty, bundle)

    assert bundles.branches(empty) == taken == bundles.branches(mirror)


def test_a_lock_in_a_mirror_stays_as_long_as_a_git_is_at_work_there(mirror, upstream):
    commit(upstream, message="Second")
    lock = mirror.folder / "refs" / "heads" / "main.lock"
    lock.touch()

    with gitlocks.at_work(mirror.folder), pytest.raises(TryLater, match="File exists"):
        mirror.refresh(SOON)

    assert lock.exists()


def test_a_git_that_outlives_its_program_is_still_at_work(mirror):
    with gitlocks.at_work(mirror.folder) as held:
        left = subprocess.Popen(["sleep", "100"], pass_fds=held)
    try:
        assert not gitlocks.cleared(mirror.folder)
    finally:
        left.kill()
        left.wait()
    assert gitlocks.cleared(mirror.folder)


def test_an_upstream_without_commits_is_named_as_such(tmp_path):
    git(tmp_path, "init", "-q", "empty")
    mirror = Mirror(tmp_path / "web.git", str(tmp_path / "empty"))
    mirror.refresh(SOON)

    with pytest.raises(BadConfig, match="empty has no commits yet"):
        mirror.start_point("main")


def test_a_missing_branch_is_named(mirror):
    with pytest.raises(BadConfig, match="has no branch trunk"):
        mirror.start_point("trunk")


def test_a_shallow_upstream_is_refused(tmp_path, upstream):
    commit(upstream)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{upstream}", "shallow")

    with pytest.raises(BadConfig, match="is a shallow clone"):
        Mirror(tmp_path / "web.git", str(tmp_path / "shallow")).refresh(SOON)


def test_an_upstream_that_is_not_there_is_tried_again_later(tmp_path):
    with pytest.raises(TryLater, match=r"cannot fetch /nowhere/web\.git: fatal: "):
        Mirror(tmp_path / "web.git", "/nowhere/web.git").refresh(SOON)


def test_an_upstream_that_does_not_answer_is_given_up_in_time(tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        mirror = Mirror(tmp_path / "web.git", f"git://127.0.0.1:{server.getsockname()[1]}/web.git")

        with pytest.raises(TryLater, match="git did not end within 1 s"):
            mirror.refresh(timedelta(seconds=1))


def test_a_hostile_tree_of_upstream_is_refused(mirror, upstream):
    git(upstream, "update-ref", "refs/heads/evil", hostile(upstream, ".git"))

    with pytest.raises(BadData, match="hasDotgit"):
        mirror.refresh(SOON)

    assert mirror.tip("evil") is None


def test_a_harmless_fault_of_an_old_history_is_let_through(mirror, upstream):
    tree = git(upstream, "rev-parse", "HEAD^{tree}")
    words = f"tree {tree}\nauthor A <a@b> 1000000000 +051800\ncommitter A <a@b> 1000000000 +051800\n\nOld\n"
    old = git(upstream, "hash-object", "-t", "commit", "--literally", "-w", "--stdin", input=words)
    git(upstream, "update-ref", "refs/heads/old", old)

    mirror.refresh(SOON)

    assert mirror.tip("old") == old


def test_a_password_in_an_address_is_not_shown(tmp_path):
    with pytest.raises(TryLater) as failed:
        Mirror(tmp_path / "web.git", "http://ann:hunter2@127.0.0.1:9/web.git").refresh(SOON)

    assert "hunter2" not in str(failed.value)
    assert "http://127.0.0.1:9/web.git" in str(failed.value)


@pytest.mark.parametrize(
    "address", ["ext::sh -c 'touch MARK'", "--upload-pack=touch MARK", "-oProxyCommand=touch MARK@host:path"]
)
def test_no_address_runs_a_command(tmp_path, address):
    mark = tmp_path / "mark"

    with pytest.raises((BadConfig, TryLater)):
        Mirror(tmp_path / "web.git", address.replace("MARK", str(mark))).refresh(SOON)

    assert not mark.exists()


def test_a_protocol_that_runs_commands_is_refused_by_name(tmp_path):
    with pytest.raises(BadConfig, match="git refuses this address"):
        Mirror(tmp_path / "web.git", "ext::sh -c true").refresh(SOON)


def test_hooks_and_monitors_of_the_upstream_repository_do_not_run(tmp_path, upstream):
    mark = arm(upstream, tmp_path)

    Mirror(tmp_path / "web.git", str(upstream)).refresh(SOON)

    assert not mark.exists()


def test_nothing_of_the_callers_git_configuration_counts(tmp_path, upstream, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url./nowhere/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "/")
    (tmp_path / ".gitconfig").write_text('[url "/nowhere/"]\n\tinsteadOf = /\n')
    mirror = Mirror(tmp_path / "web.git", str(upstream))

    mirror.refresh(SOON)

    assert mirror.tip("main")


def test_a_machine_without_git_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unavailable, match="git is not installed") as missing:
        Mirror(tmp_path / "web.git", "/x").refresh(SOON)

    assert missing.value.hint == "apt install git"


def test_a_tip_of_a_mirror_that_was_never_made_is_none(tmp_path):
    assert Mirror(tmp_path / "web.git", "/x").tip("main") is None


@pytest.mark.skipif(not ROOT, reason="changes the user")
def test_a_repository_of_another_user_is_mirrored(tmp_path, upstream):
    for path in (upstream, *upstream.rglob("*")):
        os.chown(path, 12345, 12345)

    Mirror(tmp_path / "web.git", str(upstream)).refresh(SOON)


# The workspace.


def test_a_workspace_is_on_the_branch_of_its_ticket_made_from_the_base(workspace, mirror):
    assert git(workspace.folder, "symbolic-ref", "HEAD") == "refs/heads/pco/WEB-1"
    assert git(workspace.folder, "rev-parse", "HEAD") == mirror.tip("main")
    assert (workspace.folder / "file").read_text() == "x\n"
    assert workspace.uncommitted() == 0
    assert git(workspace.folder, "config", "--get-regexp", "branch[.]pco", code=1) == ""


def test_a_commit_in_a_workspace_needs_no_configuration_of_its_user(workspace):
    (workspace.folder / "new").write_text("y")
    bare = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    for args in (("add", "-A"), ("commit", "-q", "-m", "Work")):
        subprocess.run(["git", *args], cwd=workspace.folder, env=bare, check=True)

    assert git(workspace.folder, "log", "-1", "--format=%an <%ae>") == "pco WEB-1 <pco@localhost>"


def test_a_workspace_shares_no_file_with_the_mirror(workspace, mirror):
    objects = [path for path in (workspace.folder / ".git" / "objects").rglob("*") if path.is_file()]
    assert objects
    assert not (workspace.folder / ".git" / "objects" / "info" / "alternates").exists()
    assert all(path.stat().st_nlink == 1 for path in objects)


def test_a_workspace_is_kept_over_rounds_with_what_is_not_committed(workspace, mirror, upstream):
    mine = commit(workspace.folder, "mine")
    (workspace.folder / "notes").write_text("half done")
    commit(upstream, "theirs")
    mirror.refresh(SOON)

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)

    assert git(workspace.folder, "rev-parse", "HEAD") == mine
    assert (workspace.folder / "notes").read_text() == "half done"
    assert git(workspace.folder, "rev-parse", "origin/main") == mirror.tip("main")
    assert workspace.uncommitted() == 1


def test_a_lost_workspace_begins_where_the_mirror_has_the_branch(workspace, mirror, tmp_path):
    tip = commit(workspace.folder, "mine")
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)
    shutil.rmtree(workspace.folder)

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)

    assert git(workspace.folder, "rev-parse", "pco/WEB-1") == tip


def test_a_workspace_that_wandered_to_another_branch_comes_back(workspace, mirror):
    git(workspace.folder, "checkout", "-q", "-b", "elsewhere")

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)

    assert git(workspace.folder, "symbolic-ref", "--short", "HEAD") == "pco/WEB-1"


def test_locks_of_a_killed_agent_do_not_keep_the_next_one_from_working(workspace, mirror):
    git(workspace.folder, "checkout", "-q", "-b", "elsewhere")
    for lock in ("index.lock", "HEAD.lock", "config.lock", "refs/heads/pco/WEB-1.lock", "refs/heads/elsewhere.lock"):
        (workspace.folder / ".git" / lock).touch()

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)

    assert git(workspace.folder, "symbolic-ref", "--short", "HEAD") == "pco/WEB-1"


def test_a_clone_that_was_interrupted_is_begun_anew(tmp_path, mirror):
    partial = tmp_path / ".workspace.partial"
    (partial / ".git").mkdir(parents=True)
    workspace = Workspace(tmp_path / "workspace")

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)

    assert (workspace.folder / "file").exists()
    assert not partial.exists()


def test_a_workspace_without_its_base_is_refused(tmp_path, mirror):
    with pytest.raises(BadConfig, match="no branch trunk"):
        Workspace(tmp_path / "workspace").clone(mirror.folder, "trunk", "pco/WEB-1", SOON)


def test_hooks_and_monitors_that_an_agent_left_do_not_run(workspace, mirror, tmp_path):
    mark = arm(workspace.folder, tmp_path)
    git(workspace.folder, "-c", "core.fsmonitor=false", "checkout", "-q", "-b", "elsewhere")
    commit_quietly(workspace.folder)
    mark.unlink(missing_ok=True)

    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)
    workspace.uncommitted()
    workspace.bundle(tmp_path / "work.bundle", "pco/WEB-1")

    assert not mark.exists()


@pytest.mark.parametrize("change", ["modified", "new", "deleted", "staged"])
def test_what_is_not_committed_is_counted(workspace, change):
    target = workspace.folder / ("other" if change == "new" else "file")
    target.unlink() if change == "deleted" else target.write_text("y\n")
    if change == "staged":
        git(workspace.folder, "add", "-A")

    assert workspace.uncommitted() == 1


@pytest.mark.skipif(not ROOT, reason="changes the user")
def test_a_session_of_another_user_clones_commits_and_bundles(tmp_path, mirror):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 12345, 12345)
    os.chmod(tmp_path, 0o755)
    for folder in list(tmp_path.parents)[:3]:
        os.chmod(folder, folder.stat().st_mode | 0o055)

    bundle = tmp_path / "source.bundle"
    mirror.export(bundle, "main", "pco/WEB-1")

    as_user(12345, lambda: session(home, bundle))

    assert mirror.take_bundle(home / "work.bundle", "WEB-1", SOON) == mirror.tip("pco/WEB-1")


# The bundle.


def test_the_commits_of_a_session_come_into_the_mirror(workspace, mirror, tmp_path):
    base = mirror.start_point("main")
    commit(workspace.folder, "a", message="One\n\nbody")
    tip = commit(workspace.folder, "b", message="Two")

    assert mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON) == tip

    assert mirror.tip("pco/WEB-1") == tip
    assert [(c.subject, c.by) for c in mirror.log(base, tip)] == [("One", "Ann"), ("Two", "Ann")]
    assert mirror.log(base, tip)[-1].id == tip
    assert "2 files changed" in mirror.diffstat(base, tip)
    assert "+x" in mirror.diff(base, tip)
    assert mirror.merge_base(tip, "main") == base
    git(mirror.folder, "fsck", "--strict")


def test_nothing_new_makes_no_bundle(workspace, tmp_path):
    assert not workspace.bundle(tmp_path / "work.bundle", "pco/WEB-1")
    assert not (tmp_path / "work.bundle").exists()


def test_a_second_round_bundles_only_what_came_since_and_a_rewritten_history_is_taken(workspace, mirror, tmp_path):
    commit(workspace.folder, "a")
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)
    workspace.clone(mirror.folder, "main", "pco/WEB-1", SOON)
    assert not workspace.bundle(tmp_path / "none", "pco/WEB-1")

    git(workspace.folder, "commit", "-q", "--amend", "-m", "Rewritten")
    tip = mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    assert tip == git(workspace.folder, "rev-parse", "HEAD")


def test_only_the_branch_of_the_ticket_is_taken(workspace, mirror, tmp_path):
    before = tips(mirror.folder)
    tip = commit(workspace.folder, "a")
    for name in ("main", "pco/WEB-2", "evil"):
        git(workspace.folder, "branch", "-f", name)
    git(workspace.folder, "tag", "v1")
    git(workspace.folder, "bundle", "create", "-q", str(tmp_path / "work.bundle"), "--branches", "--tags")

    mirror.take_bundle(tmp_path / "work.bundle", "WEB-1", SOON)

    assert tips(mirror.folder) == {**before, "refs/heads/pco/WEB-1": tip}
    assert git(mirror.folder, "tag") == ""


def test_a_bundle_of_another_ticket_is_refused(workspace, mirror, tmp_path):
    commit(workspace.folder, "a")
    before = tips(mirror.folder)

    with pytest.raises(BadData, match="does not hold refs/heads/pco/WEB-2"):
        mirror.take_bundle(bundled(workspace, tmp_path), "WEB-2", SOON)

    assert tips(mirror.folder) == before


@pytest.mark.parametrize("key", ["../main", "main", "WEB-1:refs/heads/main", "WEB-1\n", ""])
def test_what_is_no_key_becomes_no_branch(mirror, tmp_path, key):
    with pytest.raises(BadData, match="no ticket key"):
        mirror.take_bundle(tmp_path / "x", key, SOON)
    with pytest.raises(BadData, match="no ticket key"):
        branch_of(key)


def test_a_link_in_the_place_of_the_bundle_is_refused(workspace, mirror, tmp_path):
    commit(workspace.folder, "a")
    (tmp_path / "link").symlink_to(bundled(workspace, tmp_path))

    with pytest.raises(BadData, match="cannot be opened"):
        mirror.take_bundle(tmp_path / "link", "WEB-1", SOON)


def test_a_repository_or_a_pipe_in_the_place_of_the_bundle_is_refused(workspace, mirror, tmp_path):
    mark = arm(workspace.folder, tmp_path)
    os.mkfifo(tmp_path / "pipe")

    for path in (workspace.folder, tmp_path / "pipe"):
        with pytest.raises(BadData, match="no regular file"):
            mirror.take_bundle(path, "WEB-1", SOON)

    assert not mark.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"PACK" + data,
        lambda data: data[:-30],
        lambda data: data[: data.index(b"\n\n") + 2],
        lambda data: data[:-40] + b"\0" * 20 + data[-20:],
        lambda data: data.replace(b"# v2 git bundle\n", b"# v3 git bundle\n@filter=blob:none\n", 1),
        lambda data: data.replace(b" refs/heads/pco/WEB-1\n", b"\n", 1),
        lambda data: b"# v2 git bundle\n" + b"x" * (2 << 20),
    ],
    ids=["empty", "pack", "cut", "no pack", "damaged", "filtered", "no ref", "endless header"],
)
def test_a_spoiled_bundle_is_refused_and_leaves_nothing(workspace, mirror, tmp_path, spoil):
    before = tips(mirror.folder)
    (workspace.folder / "big").write_bytes(os.urandom(5000))
    commit(workspace.folder, "a")
    path = bundled(workspace, tmp_path)
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(BadData):
        mirror.take_bundle(path, "WEB-1", SOON)

    assert tips(mirror.folder) == before


def test_a_bundle_whose_tip_is_not_in_it_is_refused(workspace, mirror, tmp_path):
    tip = commit(workspace.folder, "a")
    path = bundled(workspace, tmp_path)
    path.write_bytes(path.read_bytes().replace(tip.encode(), b"1" * 40))

    with pytest.raises(BadData, match="lacks objects"):
        mirror.take_bundle(path, "WEB-1", SOON)


def test_a_bundle_that_builds_on_what_the_mirror_lacks_is_refused(workspace, mirror, tmp_path):
    commit(workspace.folder, "a")
    git(workspace.folder, "branch", "hidden")
    commit(workspace.folder, "b")
    args = ("bundle", "create", "-q", str(tmp_path / "thin"), "pco/WEB-1", "^hidden")
    git(workspace.folder, *args)

    with pytest.raises(BadData):
        mirror.take_bundle(tmp_path / "thin", "WEB-1", SOON)

    assert mirror.tip("pco/WEB-1") is None


def test_a_branch_that_is_no_commit_is_refused(workspace, mirror, tmp_path):
    blob = git(workspace.folder, "hash-object", "-w", "--stdin", input="evil")
    git(workspace.folder, "update-ref", "refs/tags/blob", blob)
    path = tmp_path / "blob"
    git(workspace.folder, "bundle", "create", "-q", str(path), "refs/tags/blob")
    path.write_bytes(path.read_bytes().replace(b"refs/tags/blob", b"refs/heads/pco/WEB-1"))

    with pytest.raises(BadData, match="cannot set"):
        mirror.take_bundle(path, "WEB-1", SOON)


@pytest.mark.parametrize("name", [".git", ".GIT", ".git\u200c"])
def test_a_tree_that_would_write_into_dot_git_is_refused(workspace, mirror, tmp_path, name):
    git(workspace.folder, "update-ref", "refs/heads/pco/WEB-1", hostile(workspace.folder, name))

    with pytest.raises(BadData, match="hasDotgit"):
        mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    assert mirror.tip("pco/WEB-1") is None


def test_a_bundle_is_found_beside_a_descriptor(workspace, mirror, tmp_path):
    tip = commit(workspace.folder, "a")
    bundled(workspace, tmp_path)
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    assert mirror.take_bundle("work.bundle", "WEB-1", SOON, folder) == tip

    os.close(folder)


def test_a_bundle_beyond_the_cap_is_refused(workspace, mirror, tmp_path, monkeypatch):
    commit(workspace.folder, "a")
    path = bundled(workspace, tmp_path)
    monkeypatch.setattr(outside, "MOST_BUNDLE", path.stat().st_size - 1)

    with pytest.raises(BadData, match="at most"):
        mirror.take_bundle(path, "WEB-1", SOON)


def test_a_git_that_was_killed_says_nothing_of_the_bundle_that_it_read(workspace, mirror, tmp_path):
    commit(workspace.folder, "a")
    path = bundled(workspace, tmp_path)
    git = tmp_path / "git"
    git.write_text(f'#!/bin/sh\ncase $* in *index-pack*) kill -9 $$;; esac\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(SystemFault, match="killed by signal 9"):
            mirror.take_bundle(path, "WEB-1", SOON)


def test_two_bundles_come_in_at_the_same_time_as_a_refresh(workspace, mirror, upstream, tmp_path):
    commit(workspace.folder, "a")
    path = bundled(workspace, tmp_path)
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes().replace(b"pco/WEB-1", b"pco/WEB-2"))
    commit(upstream, "b")
    work = [
        lambda: mirror.take_bundle(path, "WEB-1", SOON),
        lambda: mirror.take_bundle(other, "WEB-2", SOON),
        lambda: mirror.refresh(SOON),
    ]
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert mirror.tip("pco/WEB-1") == mirror.tip("pco/WEB-2") == git(workspace.folder, "rev-parse", "HEAD")
    assert mirror.tip("main") == git(upstream, "rev-parse", "main")


# What people see of it.


def test_hostile_words_in_commits_are_cleaned_and_cut(workspace, mirror, tmp_path):
    base = mirror.start_point("main")
    git(workspace.folder, "config", "user.name", "Eve\x1b[31m\u202e")
    subject = "One\x1b]0;x\x07\x00two" + "y" * 300
    (workspace.folder / "a\x1b[2J").write_text("\x1b[31mred\x9b\u202e\n")
    git(workspace.folder, "add", "-A")
    git(workspace.folder, "commit", "-q", "-F", "-", input=subject.replace("\0", ""))
    tip = mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    (only,) = mirror.log(base, tip)
    shown = only.subject + only.by + mirror.diffstat(base, tip) + mirror.diff(base, tip)

    assert only.subject.startswith("One]0;xtwoy")
    assert len(only.subject) == 200
    assert not any(c in shown for c in "\x1b\x07\x9b\u202e\0")


def test_only_the_newest_commits_are_listed_oldest_first(workspace, mirror, tmp_path):
    base = mirror.start_point("main")
    for n in range(5):
        tip = commit(workspace.folder, content=str(n), message=f"Number {n}")
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    assert [c.subject for c in mirror.log(base, tip, 2)] == ["Number 3", "Number 4"]


def test_a_huge_change_is_cut(workspace, mirror, tmp_path):
    base = mirror.start_point("main")
    tip = commit(workspace.folder, content="x\n" * 500_000)
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    shown = mirror.diff(base, tip, limit=1000)

    assert len(shown) < 1100
    assert shown.endswith("[cut here: the whole is longer]\n")


def test_colours_are_added_after_the_cleaning(workspace, mirror, tmp_path):
    base = mirror.start_point("main")
    tip = commit(workspace.folder, content="\x1b[5mblink\n")
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    shown = mirror.diff(base, tip, color=True)

    assert "\x1b[32m+[5mblink\x1b[0m" in shown
    assert "\x1b[31m-x\x1b[0m" in shown


def test_attributes_in_the_commits_run_no_converter(workspace, mirror, tmp_path):
    base = mirror.start_point("main")
    mark = tmp_path / "mark"
    for where in (mirror.folder,):
        git(where, "config", "diff.evil.textconv", f"touch {mark}")
        git(where, "config", "diff.evil.command", f"touch {mark}")
    (mirror.folder / "info").mkdir(exist_ok=True)
    (mirror.folder / "info" / "attributes").write_text("* diff=evil\n")
    tip = commit(workspace.folder, content="y\n")
    mirror.take_bundle(bundled(workspace, tmp_path), "WEB-1", SOON)

    assert "+y" in mirror.diff(base, tip)
    assert not mark.exists()


@pytest.mark.parametrize("evil", ["--output=MARK", "-OMARK", "--no-index"])
def test_what_looks_like_an_option_is_taken_for_a_revision(mirror, tmp_path, evil):
    mark = tmp_path / "mark"
    name = evil.replace("MARK", str(mark))

    for call in (mirror.log, mirror.diff, mirror.diffstat):
        with pytest.raises(BadData):
            call(name, "main")
    assert mirror.tip(name) is None
    assert mirror.merge_base(name, "main") is None
    assert not mark.exists()


def test_histories_without_anything_in_common_have_no_base(mirror, upstream):
    git(upstream, "checkout", "-q", "--orphan", "island")
    commit(upstream, "z")
    mirror.refresh(SOON)

    assert mirror.merge_base("main", "island") is None


def hostile(folder, name):
    """A commit with a file in a folder `name`."""
    blob = git(folder, "hash-object", "-w", "--stdin", input="evil")
    inner = git(folder, "mktree", input=f"100644 blob {blob}\tconfig\n")
    tree = git(folder, "mktree", input=f"040000 tree {inner}\t{name}\n")
    return git(folder, "commit-tree", tree, "-m", "evil", "-p", "HEAD")


def arm(folder, tmp_path) -> Path:
    """Fill a repository with everything that could make git run a command; returns the file that it would make."""
    mark = tmp_path / "mark"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change", "pre-auto-gc"):
        (hooks / name).write_text(script.read_text())
        (hooks / name).chmod(0o755)
    git(folder, "config", "core.hooksPath", str(hooks))
    for name in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand", "core.pager", "core.editor"):
        git(folder, "config", name, str(script))
    return mark


def commit_quietly(folder):
    (folder / "more").write_text("z")
    for args in (("add", "-A"), ("commit", "-q", "--no-verify", "-m", "More")):
        git(folder, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *args)


def as_user(uid, work):
    """Do `work` as another user, in a child."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        try:
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def session(home, mirror):
    """What pco-session does with git."""
    workspace = Workspace(home / "workspace")
    workspace.clone(mirror, "main", "pco/WEB-1", SOON)
    commit(workspace.folder, "mine")
    workspace.clone(mirror, "main", "pco/WEB-1", SOON)
    assert workspace.bundle(home / "work.bundle", "pco/WEB-1")
    assert workspace.uncommitted() == 0
