"""Configure pco: asks, or takes from options, what it needs to know, tries it, and writes it down.

Plane's address, the token and the workspace are tried at once; projects, states and labels are then chosen from what
is there; each repository is asked for its branches as user pco will ask.  The agent's program is run for its version,
as a session's user would, and its key is tried with one request that costs nothing, unless somebody minds.  All that
will be written is shown before anything is: until the last question, Ctrl-C leaves the system as it was.

It writes /etc/pco/pco.yaml and the credentials /etc/pco/credentials/plane-token and agent (root alone can read them),
adds people to group pco, and starts pco.target.  What stands in pco.yaml already is offered as defaults, what pco-setup
does not ask about stays, and the file that is replaced is kept as pco.yaml.bak-TIME.  So it can be run again, to change
an answer; with --token-file or --agent-key-file alone it changes the token, or the key, which the next poll, the next
session uses.

The agent is Claude Code, whose program must lie where the user of a session can run it: not below /home or /root, which
sessions do not see.  Versions older than the oldest that pco works with are refused, versions newer than the tested one
are warned of.  Its key is an API key (sk-ant-api...) or the token that "claude setup-token" prints (sk-ant-oat...).
With --agent command any other program works on tickets.

With --config another configuration is written, for a site without systemd or for a second pco: nothing is started,
nobody is added to a group; folders are set in it by hand (paths in pco.yaml.example).
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from pco.command import command
from pco.commands.setting import agent as agents
from pco.commands.setting import choosing, reaching, starting, writing
from pco.commands.setting import key as keys
from pco.commands.setting.agent import Given
from pco.commands.setting.reaching import Access
from pco.commands.setting.talk import Talk, interactive
from pco.commands.setting.writing import Change, Place, Present
from pco.ground import apitoken, durable, text
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError
from pco.outside import units
from pco.outside.agents.claude import login
from pco.rules import answers
from pco.rules.answers import Answers
from pco.run import DEFAULT_CONFIG, Pco

USER = "pco"  # who fetches repositories, of an installed pco
FILE = click.Path(readable=False)  # only so that a shell completes it


@command
@click.option("--url", metavar="URL", help="Plane's address, such as https://plane.example.org.")
@click.option("--workspace", metavar="NAME", help="As it stands in Plane's address: URL/NAME/.")
@click.option("--token-file", type=FILE, metavar="FILE", help="Take the API token from it; - is standard input.")
@click.option(
    "--project",
    "projects",
    metavar="SPEC",
    multiple=True,
    help="NAME[:KEY]=REPOSITORY[#BRANCH]; NAME is its identifier in Plane.  Repeat it for each.",
)
@click.option("--into-state", "states", metavar="NAME", multiple=True, help="Moving into it makes a ticket.  Repeat.")
@click.option("--label", "labels", metavar="NAME", multiple=True, help="Take items with one of these; - for all.")
@click.option("--post-state", metavar="NAME", help="Where an item goes with the comment: a state, group:NAME, none.")
@click.option(
    "--agent", "kind", type=click.Choice(["claude", "command"]), help="Claude Code, or a program of your own."
)
@click.option(
    "--claude", "program", type=FILE, metavar="FILE", help="Claude Code's program.  Default: /usr/local/bin/claude."
)
@click.option("--mode", type=click.Choice(list(agents.MODES)), help="Whether people attach and answer.")
@click.option(
    "--permission-mode", type=click.Choice(list(agents.PERMISSIONS)), help="What it may do unasked, see above."
)
@click.option("--agent-key-file", type=FILE, metavar="FILE", help="Take its key from it; - is standard input.")
@click.option("--no-key-check", is_flag=True, help="Do not try the key with a request to the model's API.")
@click.option("--base-url", metavar="URL", help="Address of the model's API, if not the vendor's; - for the vendor's.")
@click.option("--ticket-usd", metavar="USD", help="What one ticket may cost, all its rounds; 0 is no limit.")
@click.option("--daily-usd", metavar="USD", help="What all sessions of a day may cost; 0 is no limit.")
@click.option("--command", metavar="COMMAND", help="For --agent command; one word, quoted.")
@click.option("--member", "members", metavar="USER", multiple=True, help="May approve.  Default: who called sudo.")
@click.option(
    "--token-to",
    metavar="FILE",
    help="Where the token goes, and beside it the agent's key.  Default: credentials/ beside FILE of --config.",
)
@click.option("--no-start", is_flag=True, help="Write all, start nothing.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; what is needed must be given, or be there already.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be written; write nothing.  Needs no root.")
def main(
    pco: Pco,
    url: str | None,
    workspace: str | None,
    token_file: str | None,
    projects: tuple[str, ...],
    states: tuple[str, ...],
    labels: tuple[str, ...],
    post_state: str | None,
    agent_key_file: str | None,
    no_key_check: bool,
    members: tuple[str, ...],
    token_to: str | None,
    no_start: bool,
    yes: bool,
    dry_run: bool,
    **of_agent: Any,
) -> None:
    """Configure pco: Plane, its projects and repositories, the agent, who may approve; then start it.

    Asks what no option says, shows what it will write, and may be run again at any time.

    \b
    What Claude Code may do unasked (--permission-mode):
      default            asks before it edits or runs anything
      acceptEdits        edits files in its clone; asks before it runs commands
      plan               reads and makes a plan; edits nothing
      dontAsk            asks nothing; what is not allowed is refused
      bypassPermissions  does everything; only the limits of its unit hold it

    \b
    Examples:
      sudo pco-setup                            ask everything
      sudo pco-setup --token-file new-token     change the token, and nothing else
      sudo pco-setup --agent-key-file new-key   change the agent's key, and nothing else
      sudo pco-setup --label agent --yes        change one answer, keep the others
      sudo pco-setup --yes --url https://plane.example.org --workspace acme --token-file token \\
          --project 'WEB=git@git.example.org:web.git#main' --agent claude --agent-key-file -
      sudo pco-setup --agent command --command '/usr/local/bin/my-agent --quiet' --yes
      pco-setup --dry-run                       see what it would do
    """
    file = Path(pco.config_file or os.environ.get("PCO_CONFIG") or DEFAULT_CONFIG).absolute()
    permit(file, dry_run)
    if token_to and str(file) == DEFAULT_CONFIG:
        raise click.UsageError(f"--token-to goes with --config: the units take the token from {writing.CREDENTIAL}")
    if (token_file, agent_key_file) == ("-", "-"):
        raise click.UsageError("--token-file -, --agent-key-file -: standard input can hold only one of them")
    talk = Talk(pco, interactive() and not yes)
    token, key = read_token(token_file, talk), keys.read(talk, agent_key_file)
    where = writing.place(file, token_to or "")
    before = writing.present(talk, where)
    wish = Given(**{name: value or "" for name, value in of_agent.items()})
    options = (url, workspace, projects, states, labels, post_state, members, wish != Given())
    if (token or key) and (token or not token_file) and before.token and before.complete and not any(options):
        rotate(pco, talk, where, before, (token, key), prove=not no_key_check, dry_run=dry_run)
        return
    given, offered = access(talk, before, Access(url or "", workspace or "", token))
    others = {"--project": projects, **agents.needed(wish, before, key, dry_run), "--yes": yes or dry_run}
    demand(talk, before, given, others)
    wanted = [answers.wanted(spec) for spec in projects]
    site = reaching.reach(talk, given, offered)
    chosen = choosing.projects(talk, site, wanted, before.config, USER if where.installed else "")
    there = choosing.lists(site, chosen)
    was = before.config
    said = Answers(
        url=site.access.url,
        workspace=site.access.workspace,
        token_file=str(where.token),
        projects=chosen,
        into_states=choosing.into_states(talk, there, states, was.triggers.into_states if before.values else ()),
        labels=choosing.labels(talk, there, labels, was.filters.labels),
        post_state=choosing.post_state(talk, there, post_state or "", was.post.state),
        agent=agents.agent(talk, wish, before, where),
    )
    if said.agent.kind == "claude":
        key = keys.key(talk, key, before, said.agent, prove=not no_key_check)
    change = writing.drawn_up(talk, where, before, said, site.access.token, key or before.key)
    people = starting.members(talk, members) if where.installed else ()
    steps = starting.steps(talk, change, people, not no_start) if where.installed else starting.Steps((), ())
    finish(pco, talk, change, steps, yes=yes, dry_run=dry_run)


def permit(file: Path, dry_run: bool) -> None:
    """Raises NotPermitted where only root can do it."""
    if str(file) == DEFAULT_CONFIG and os.geteuid() != 0 and not dry_run:
        again = shlex.join(["sudo", "pco-setup", *sys.argv[1:]])
        raise NotPermitted("only root can write /etc/pco and start units", f"{again}; or look only: --dry-run")


def read_token(source: str | None, talk: Talk) -> str:
    """The token in a file, or on standard input; empty if it is to be asked for."""
    if source is None or (source == "-" and talk.asks):
        return ""
    try:
        if source == "-":
            return apitoken.parse(sys.stdin.buffer.read(apitoken.MOST_BYTES))
        return apitoken.parse(durable.read(os.path.realpath(source), apitoken.MOST_BYTES))
    except OSError as error:
        raise BadData(f"--token-file: {source}: {error.strerror}") from error
    except BadConfig as error:
        raise BadData(f"--token-file: {source}: {error}") from error


def access(talk: Talk, before: Present, given: Access) -> tuple[Access, Access]:
    """How Plane is reached: what is settled, and what is offered as an answer.

    A token that is in place is of the Plane that is in place: it is not sent to another one.
    """
    plane = before.config.plane
    known = before.token if not given.url or given.url.rstrip("/") == plane.url else ""
    offered = Access(plane.url, plane.workspace, known)
    try:
        given = Access(
            reaching.address(given.url) if given.url else "",
            reaching.slug(given.workspace) if given.workspace else "",
            given.token,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if talk.asks:
        return given, offered
    pairs = zip((given.url, given.workspace, given.token), (offered.url, offered.workspace, offered.token), strict=True)
    return Access(*(one or other for one, other in pairs)), offered


def demand(talk: Talk, before: Present, given: Access, others: dict[str, object]) -> None:
    """Where nobody can be asked, everything must be known.  Raises UsageError that names the options."""
    if talk.asks:
        return
    known = {"--url": given.url, "--workspace": given.workspace, "--token-file": given.token, **others}
    known["--project"] = known["--project"] or before.config.plane.projects
    missing = [option for option, value in known.items() if not value]
    if missing:
        raise click.UsageError(f"nobody is there to ask; add {', '.join(missing)}")


def rotate(
    pco: Pco, talk: Talk, where: Place, before: Present, given: tuple[str, str], *, prove: bool, dry_run: bool
) -> None:
    """Change the token, the agent's key, or both, and nothing else; once they were tried."""
    token, key = given
    name = _token_tried(pco, talk, before, token) if token else ""
    if key and before.config.agent == "claude":
        keys.check(talk, key, before.config.claude, prove=prove)
    new = [None if said in ("", there) else said for said, there in ((token, before.token), (key, before.key))]
    if new == [None, None]:
        talk.ok("what was given is in place already; nothing to do")
        return
    change = Change(where, before.text, None, *new)
    if dry_run:
        show(change, starting.Steps((), ()), "")
        return
    writing.write(change, "")
    if change.token is not None:
        talk.ok(f"{where.token}: the token of {name}; the next poll uses it")
    if change.key is not None:
        talk.ok(f"{where.key}: the agent's key; the next session uses it")


def _token_tried(pco: Pco, talk: Talk, before: Present, token: str) -> str:
    """Whose token it is.  Raises what Plane says."""
    plane = before.config.plane
    # Nobody is asked: the token is on the command line already, and nothing else can be wrong that was not before.
    site = reaching.reach(Talk(pco, asks=False), Access(plane.url, plane.workspace, token), Access())
    missing = {project.id for project in plane.projects} - {info.id for info in site.projects}
    for project in plane.projects:
        if project.id in missing:
            talk.warn(f"project {project.key or project.id}: {site.me.name} cannot work in it", "it will not be polled")
    return site.me.name


def finish(pco: Pco, talk: Talk, change: Change, steps: starting.Steps, *, yes: bool, dry_run: bool) -> None:
    """Show it, have it confirmed, do it, say how things stand."""
    backup = writing.backup_name(change.place, pco.now())
    shown = dry_run or not yes or pco.loudness >= 0
    anything = shown and show(change, steps, backup)
    if dry_run:
        return
    if anything and not yes and not talk.confirm("Do this?"):
        raise click.Abort
    writing.write(change, backup)
    audited(pco, change)
    if change.config is not None:
        talk.ok(f"{change.place.config} is written")
    if change.token is not None:
        talk.ok(f"{change.place.token} is written")
    if change.key is not None:
        talk.ok(f"{change.place.key} is written")
    starting.take(talk, steps)
    conclude(pco, talk, change.place)


def audited(pco: Pco, change: Change) -> None:
    """The change of the configuration is on the word of who ran this; else the next poll would audit its owner."""
    from pco.commands import configuring

    try:
        if change.config is None or not pco.config.paths.audit.is_dir():
            return
        configuring.notice(pco, by=pco.who)
    except (PcoError, OSError) as error:
        pco.log("warning", f"the change is not audited: {error}")


def show(change: Change, steps: starting.Steps, backup: str) -> bool:
    """Show what would be written and done; whether there is anything."""
    lines = [*writing.described(change, backup), *steps.described()]
    click.echo(text.lines("\n".join(["", *(lines or ["Everything is as it should be: nothing to do."]), ""])))
    return bool(lines)


def conclude(pco: Pco, talk: Talk, where: Place) -> None:
    """How things stand, and what a person does next."""
    now = writing.present(talk, where)
    pco.say(f"Agent: {agents.summary(now.config)}")
    if now.config.agent == "claude" and not now.key and login.needed(now.config.claude.environment):
        talk.warn(f"{where.key}: the agent has no key", keys.LATER)
    if where.installed and units.running():
        pco.say(units.status(*starting.SHOWN))
    option = "" if where.installed else f" --config {shlex.quote(str(where.config))}"
    caller = os.environ.get("SUDO_USER", "")
    who = f"   (as {text.line(caller, 40)}, after logging in anew)" if where.installed and caller else ""
    pco.say(f"Next: pco-queue{option}{who}")
    if where.installed:
        pco.say("sudo pco-doctor looks whether all is as it should be.")
    pco.say("The first poll only takes stock; an item that is new after it waits there for approval.")
