"""diff and fetch: what a session committed.  It is in the project's mirror, on the branch pco/KEY."""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import click

from pco.commands.queue import verb
from pco.commands.queue.change import Refused, each, read
from pco.commands.queue.select import named
from pco.commands.queue.terminal import coloured, echo, page, paint
from pco.ground import text
from pco.ground.ticket import Fetched, State, Ticket, Work
from pco.outside import process
from pco.outside.git import Mirror, branch_of
from pco.rules import fetching
from pco.run import Pco

PATIENCE = timedelta(minutes=10)
# The mirror belongs to pco's own user: git must be told that this is all right, and only for its reading end.
READER = "--upload-pack=git -c 'safe.directory=*' upload-pack"
SAFE = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never", "protocol.file.allow=always")


@verb.verb
@verb.keys(State.COMPLETED)
@click.option("--stat", is_flag=True, help="Only which files, and how much.")
def diff(pco: Pco, keys: tuple[str, ...], stat: bool) -> None:
    """Show what a session changed in the repository.

    \b
    Examples:
      pco-queue diff WEB-12
      pco-queue diff WEB-12 --stat
    """
    if not keys:
        raise click.UsageError("Name a ticket by its key, such as WEB-12.")
    each(pco, named(keys), lambda key: page(pco, changes(pco, read(pco, key), stat)))


def changes(pco: Pco, ticket: Ticket, stat: bool = False) -> str:
    """The changes of the latest round that left any, as clean text, painted.  Raises Refused if there are none."""
    work = latest(ticket)
    mirror = mirror_of(pco, ticket)
    head = paint(f"{ticket.key}: {text.count(len(work.commits), 'commit')} on {work.branch}", "title")
    commits = [f"  {text.line(c.id[:10])} {text.line(c.subject, 100)}" for c in work.commits]
    body = mirror.diffstat(work.base, work.tip) if stat else mirror.diff(work.base, work.tip, color=coloured(pco))
    return "\n".join([head, *commits, "", body])


def latest(ticket: Ticket) -> Work:
    """What the latest round that left commits left.  Raises Refused if none did."""
    found = next((r.work for r in reversed(ticket.rounds) if r.work and r.work.tip), None)
    if found is not None:
        return found
    if ticket.state is State.ACTIVE:
        raise Refused("has no commits here yet: its session is still running", f"pco-queue attach {ticket.key}")
    raise Refused("has no commits")


def mirror_of(pco: Pco, ticket: Ticket) -> Mirror:
    """The mirror of the ticket's project.  Raises Refused if there is none."""
    folder = pco.config.paths.mirrors / f"{ticket.project}.git"
    if pco.config.project(ticket.project) is None or not folder.is_dir():
        raise Refused(f"its project has no mirror ({folder})", "pco-launch makes it before the first session")
    return Mirror(folder, "")


@verb.verb
@verb.key(State.COMPLETED)
@click.argument("repo", metavar="[REPO]", default=".")
def fetch(pco: Pco, key: str, repo: str) -> None:
    """Fetch a ticket's commits into a repository, as branch pco/KEY.

    REPO is a clone of the project's repository; default: the folder you are in.  Nothing is checked out or merged.
    That you have them is recorded: pco-retention need not keep them for somebody who has not fetched them yet.

    \b
    Examples:
      pco-queue fetch WEB-12
      pco-queue fetch WEB-12 ~/src/web && git -C ~/src/web log -p main..pco/WEB-12
    """
    each(pco, [key], lambda key: _fetch(pco, key, Path(repo)))


def _fetch(pco: Pco, key: str, repo: Path) -> None:
    ticket = read(pco, key)
    mirror, branch = mirror_of(pco, ticket), branch_of(key)
    if mirror.tip(branch) is None:
        latest(ticket)  # says why there are none
        raise Refused(f"the mirror has no branch {branch}")
    ref = f"refs/heads/{branch}"
    options = ["--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", READER]
    safe = [word for setting in (*SAFE, "fetch.fsckObjects=true") for word in ("-c", setting)]
    there = ["git", "-C", str(repo), *safe]
    argv = [*there, "fetch", *options, "--", str(mirror.folder), f"{ref}:{ref}"]
    result = process.run(argv, _environment(), PATIENCE)
    if result.code:
        raise Refused(f"git: {_cause(result.error)}", _hint(result.error, repo, branch))
    told = process.run([*there, "rev-parse", "--verify", "--end-of-options", ref], _environment(), PATIENCE)
    echo(pco, f"{key}: fetched as {branch} into {text.line(str(repo.absolute()))}")
    into = "" if repo == Path(".") else f" -C {text.line(str(repo))}"
    base = (work.base if (work := _work(ticket)) else "")[:12] or "main"
    echo(pco, f"Next: git{into} log -p {base}..{branch}")
    echo(pco, f"      git{into} merge {branch}")
    _record(pco, ticket, mirror, told.out.decode("ascii", "replace").strip())


def _record(pco: Pco, ticket: Ticket, mirror: Mirror, commit: str) -> None:
    """Note in the record who has the branch at that commit now.

    Last of all: of a fetch that is killed before, nothing is known, and the commits are only kept longer.
    """
    fetched = Fetched(commit, pco.who, pco.now())
    covered = {tip for tip in fetching.tips(ticket) if mirror.contains(commit, tip)}

    def judge(fresh: Ticket) -> tuple[Ticket, None] | None:
        after = fetching.noted(fresh, fetched, covered)
        return None if after == fresh else (after, None)

    with suppress(KeyError):  # it was purged meanwhile
        after = pco.spool.update(ticket.key, judge)
        pco.announce("fetched", after, {"branch": branch_of(ticket.key), "commit": commit})


def _work(ticket: Ticket) -> Work | None:
    return next((r.work for r in ticket.rounds if r.work and r.work.base), None)


def _environment() -> dict[str, str]:
    """The person's own, but for what would lead git to another repository."""
    astray = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
    return {**{name: value for name, value in os.environ.items() if name not in astray}, "LC_ALL": "C.UTF-8"}


def _cause(error: str) -> str:
    said = [line.strip() for line in error.splitlines() if line.strip()]
    told = [line for line in said if line.startswith(("fatal:", "error:", "!"))]
    return text.line((told or said or ["it said nothing"])[0], 300)


def _hint(error: str, repo: Path, branch: str) -> str:
    if "not a git repository" in error or "cannot change to" in error:
        return "go into a clone of the project's repository, or name it: pco-queue fetch KEY REPO"
    if "refusing to fetch into" in error:
        return f"{branch} is checked out there: switch to another branch first"
    if "non-fast-forward" in error:
        return f"{branch} there has commits of its own: rename it first (git branch -m {branch} NAME)"
    return f"is {text.line(str(repo), 100)} a clone of the project's repository?"
