"""Claude Code as an agent: interactive in its terminal, or headless (`claude -p`).

What was observed of the CLI, and is built on here, stands beside the line that needs it; version 2.1.330.  The ticket's
words reach it as a file that its first words name: text that comes on standard input or as an argument is searched for
slash commands and @paths, the content of an attached file is not.  One configuration folder for each ticket, beside the
workspace, holds its conversations; it is the agent's own, and no person's is touched.
"""

import fcntl
import json
import os
import re
import uuid
from pathlib import Path

from pco.ground import attempt, durable, leavings, shape, text
from pco.ground.attempt import Launch
from pco.ground.errors import BadConfig, BadData, SystemFault, TryLater
from pco.ground.frozen import dataclass
from pco.ground.leavings import Exit, Outcome
from pco.outside.agents import Bill, Prepared, Session, Way
from pco.outside.agents.claude import folder, login, program, results, settings
from pco.outside.agents.claude.transcript import Ledger

TELLS = True
PLAN, SETTINGS, SERVERS, SEED = "claude.json", "settings.json", "mcp.json", "seed.json"
MOST_FILE = 1 << 20
MOST_INSTRUCTIONS = 256 << 10
# A file of more than 25,000 tokens is attached in part, or not at all, and the model is not always told.  No token is
# shorter than a byte, and what is attached has a number on each line.
MOST_ATTACHED = 20_000
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+-]+")
# Short lines: a narrow terminal breaks others, and what is broken is not known again as ours.
HEADLESS = (
    "{key}: Claude Code at work, headless: nothing is shown or asked",
    "{key}: what it does: pco-queue show {key}",
)
_OURS = "pco: "  # begins a line that the agent has not written
# Without them it asks its vendor's servers for news, and replaces itself.
_QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}


@dataclass(frozen=True)
class Plan:
    """claude.json of an attempt: what pco-launch decided, for pco-session.  Paths are absolute.

    `options` are those that both ways have in common, `fresh` names a new conversation, `resume` the one to go on with
    if that is possible; `budget` in USD, 0.0 for no limit.
    """

    program: str
    options: tuple[str, ...]
    headless: bool
    fresh: str
    resume: str
    folder: str
    key_file: str
    needs_key: bool
    instructions: bool
    budget: float
    schema: int = attempt.SCHEMA


def prepare(session: Session) -> Prepared:
    """Settings, options and seed of one attempt.  Raises BadConfig."""
    claude = session.claude
    program.there(claude.program)
    assert claude.template, "pco-launch fills it in"
    own = settings.made(session)
    options = ["--permission-mode", session.permission_mode, "--setting-sources", "user", "--strict-mcp-config"]
    options += ["--settings", str(session.home / SETTINGS)]
    files = {SETTINGS: own, SEED: json.dumps(folder.seed(claude.template), indent=1).encode()}
    if claude.mcp_config:
        files[SERVERS] = settings.servers(claude.mcp_config)
        options += ["--mcp-config", str(session.home / SERVERS)]
    if claude.model:
        options += ["--model", claude.model]
    if claude.mode == "headless" and claude.max_turns:
        options += ["--max-turns", str(claude.max_turns)]
    limits = [limit for limit in (claude.max_budget_usd or None, session.left) if limit is not None]
    plan = Plan(
        program=str(claude.program),
        options=tuple(options),
        headless=claude.mode == "headless",
        fresh=str(uuid.uuid4()),
        resume=session.conversation,
        folder=str(session.workspace.with_name("claude")),
        key_file=str(claude.key_file or ""),
        needs_key=login.needed(claude.environment),
        instructions=claude.instructions,
        budget=min(limits, default=0.0),
    )
    _attached(session.prompt)
    files[PLAN] = json.dumps(shape.dump(plan), indent=1).encode()
    environment = {**_QUIET, "CLAUDE_CONFIG_DIR": plan.folder, **claude.environment}
    if claude.base_url:
        environment["ANTHROPIC_BASE_URL"] = claude.base_url
    told = {"PCO_KEY": session.key, "PCO_ATTEMPT_DIR": str(session.home), "PCO_PROMPT": str(session.prompt)}
    return Prepared((plan.program, *plan.options), {**environment, **told}, files)


def enter(launch: Launch) -> Way:
    """Make the configuration folder ready, and choose between going on and beginning afresh.

    Raises BadConfig (no key, an old program, settings that would not hold), TryLater (its last session still lives).
    """
    home, out = Path(launch.prompt).parent, Path(launch.out)
    plan = _plan(home)
    settings.check(_read(home / SETTINGS))
    settings.try_hook(launch.key, home)
    own = Path(plan.folder)
    lock = _alone(own)
    warning = program.check(Path(plan.program), own)
    key = _key(plan)
    folder.furnish(own, json.loads(_read(home / SEED)), Path(launch.workspace), key)
    why = folder.obstacle(own, plan.resume) if plan.resume else ""
    resumed = bool(plan.resume) and not why
    options = [*plan.options, *(("--resume", plan.resume) if resumed else ("--session-id", plan.fresh))]
    if plan.instructions and (copy := _instructions(Path(launch.workspace), own)):
        options += ["--append-system-prompt-file", str(copy)]
    if plan.headless:
        options += ["-p", "--output-format", "json"]
        if plan.budget:
            # It counts what the conversation has cost from its beginning.
            spent = folder.spent(own, plan.resume) if resumed else 0.0
            options += ["--max-budget-usd", f"{plan.budget + spent:.4f}"]
    if resumed:
        folder.resuming(own, plan.resume)
        words = (
            f"Ticket {launch.key} is with you again. What is new, and the rules, are in {_named(home / 'prompt.md')}"
        )
    else:
        prompt = home / (attempt.AFRESH if plan.resume else "prompt.md")
        words = f"Work on ticket {launch.key}. The task and the rules are in {_named(prompt)}"
    named = {"CLAUDE_CODE_OAUTH_TOKEN": key} if login.is_token(key) else {"ANTHROPIC_API_KEY": key}
    return Way(
        argv=(plan.program, *options, "--", words),
        environment={**launch.environment, **(named if key else {})},
        stdin=Path("/dev/null") if plan.headless else None,
        stdout=out / "result" if plan.headless else None,
        kept=(lock,),
        told={"afresh": why, "warning": warning},
        shown="\n".join(f"{_OURS}{line.format(key=launch.key)}" for line in HEADLESS) if plan.headless else "",
    )


def bill(launch: Launch) -> Bill:
    """Keeps account from now on: what the conversations hold already was paid before."""
    return Ledger(Path(_plan(Path(launch.prompt).parent).folder), Path(launch.out))


def outcome(exit: Exit, out: int) -> Outcome:
    """What the end means, by the exit code and, headless, by what was printed.  Raises TryLater."""
    try:
        printed = leavings.read_result(out)
    except BadData:
        printed = None
    return results.ended(exit, _last_line(out)) if printed is None else results.judged(exit, printed, _last_line(out))


def _plan(home: Path) -> Plan:
    try:
        return shape.load(Plan, json.loads(_read(home / PLAN)))
    except ValueError as error:
        raise BadData(f"{home / PLAN}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return durable.read(path, MOST_FILE)
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error


def _attached(path: Path) -> str:
    """How a prompt names a file that shall be attached.  Raises BadConfig if it cannot be named."""
    if _PLAIN_PATH.fullmatch(str(path)):
        return f"@{path}"
    if '"' in str(path) or not str(path).isprintable():
        raise BadConfig(f"{path}: no file there can be given to Claude Code", "choose another paths.sessions")
    return f'@"{path}"'


def _named(prompt: Path) -> str:
    """How the first words name the file with the task; a long one the agent is told to read itself.

    Raises BadConfig, OSError.
    """
    with open(prompt, "rb") as file:
        lines, size = sum(1 for _ in file), file.tell()
    if size <= MOST_ATTACHED:
        return _attached(prompt)
    return (
        f"{_attached(prompt)} : a long file, {lines} lines, of which only a part may be attached here, or nothing. "
        "Before you begin, read all of it with the Read tool, in parts (offset, limit)."
    )


def _alone(own: Path) -> int:
    """A lock that lives as long as the agent, which inherits it: two sessions on one conversation would spoil it.

    The CLI itself does not refuse that.  Raises TryLater.
    """
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    own.chmod(0o700)
    handle = os.open(own / "pco.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise TryLater("an earlier session of this ticket still lives: its conversation is not opened twice") from None
    return handle


def _key(plan: Plan) -> str:
    """What the agent logs in with: the session's credential `agent`, else claude.key_file.  Raises BadConfig."""
    granted = os.environ.get("CREDENTIALS_DIRECTORY", "")
    for path in (f"{granted}/agent" if granted else "", plan.key_file):
        try:
            key = durable.read(os.path.realpath(path), login.MOST_KEY).decode("ascii").strip() if path else ""
        except (OSError, BadData, UnicodeDecodeError):
            raise BadConfig(f"{path}: the agent's key cannot be read", "one line, for its owner to read") from None
        if key and not re.fullmatch(r"[\x21-\x7e]+", key):
            raise BadConfig(f"{path}: this is no key: it is more than one word")
        if key:
            return key
    if plan.needs_key:
        raise BadConfig("the agent has no key", "pco-setup --agent-key-file FILE, or name claude.key_file")
    return ""


def _instructions(workspace: Path, own: Path) -> Path | None:
    """A copy of the repository's CLAUDE.md; None if it has none.  A link would lead out of the workspace."""
    try:
        found = durable.read(workspace / "CLAUDE.md", MOST_INSTRUCTIONS)
    except (OSError, BadData):
        return None
    copy = own / "instructions.md"
    durable.replace(copy, b"The repository's CLAUDE.md:\n\n" + found, 0o600)
    return copy


def _last_line(out: int) -> str:
    """The last words on the screen, which is where it says why it does not begin."""
    try:
        shown = leavings.read_screen(out).decode("utf-8", "replace")
    except BadData:
        return ""
    lines = [text.line(line, 200).strip() for line in re.sub(r"\x1b\[[0-9;:]*m", "", shown).split("\n")]
    return next((line for line in reversed(lines) if line and not line.startswith(_OURS)), "")
