#!/usr/bin/env python3
"""Make a manual page of each program from its click command: make.py FOLDER.

DESCRIPTION is the module's docstring, OPTIONS and EXAMPLES come from the command itself, so they cannot differ from
--help; FILES and BUGS stand here.  Pages of formats (section 5) and guides (section 7) are written by hand beside this
file, or in the little Markdown of `from_markdown`.
"""

import dataclasses
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "lib"))

import screens  # noqa: E402

from pco import __version__  # noqa: E402
from pco.commands import overview  # noqa: E402
from pco.ground import ticket  # noqa: E402
from pco.pages import feeds  # noqa: E402
from pco.pages.metrics import GAUGES  # noqa: E402
from pco.rules import counting, retry  # noqa: E402
from pco.rules import rows as listed  # noqa: E402
from pco.spool import MOVES  # noqa: E402

CONFIGURATION = ("/etc/pco/pco.yaml, pco.yaml.d/*.yaml", "the configuration; /etc/pco/pco.yaml.example shows all of it")
SPOOL = ("/var/spool/pco/STATE/KEY.json", "the tickets; see pco-spool(5)")
AUDIT = ("/var/lib/pco/audit/YYYY-MM.jsonl", "who did what, each record bound to the one before")
SESSIONS = ("/var/lib/pco/sessions/KEY/R.A/", "the folder of attempt A of round R; see pco-spool(5)")
AGENTS = ("/var/lib/pco-agent/KEY/", "what the agent of a ticket writes: workspace, out/R.A-NONCE/ (runner systemd)")
ATTACH = ("/run/pco-attach/KEY.sock", "where members of group pco reach the relay of a session")
TALLY = ("/var/lib/pco/metrics/tally/PROGRAM.json", "what programs have counted, for monitoring; see pco-metrics(7)")
SPEND = ("/var/lib/pco/metrics/spend/DAY.json", "what sessions have cost on a day; see pco-spool(5)")
BACKUPS = ("/var/backups/pco/TIME/", "a backup; manifest.json says what is in it")
STANDING = ("/var/lib/pco/metrics/backup/*.json", "the last good backup, the last carried away, the last one tried")
FILES = {
    "overview": [],
    "poll": [
        CONFIGURATION,
        SPOOL,
        ("/var/lib/pco/plane/PROJECT/", "what the last poll knew of a project"),
        TALLY,
        AUDIT,
    ],
    "queue": [CONFIGURATION, SPOOL, SESSIONS, AUDIT],
    "launch": [
        CONFIGURATION,
        SPOOL,
        SESSIONS,
        ("/var/lib/pco/mirrors/PROJECT.git", "mirror of the repository"),
        SPEND,
        AUDIT,
    ],
    "session": [SESSIONS, AGENTS],
    "hook": [SESSIONS, AGENTS],
    "collect": [SESSIONS, AGENTS],
    "complete": [SESSIONS, SPOOL],
    "watch": [CONFIGURATION, SPOOL, SESSIONS, ("/run/pco/trigger", "a FIFO: one byte wakes pco-watch"), SPEND, AUDIT],
    "post": [CONFIGURATION, SPOOL, TALLY, AUDIT],
    "push": [
        CONFIGURATION,
        SPOOL,
        ("/var/spool/pco/control/push/KEY", "somebody asked to have this branch pushed"),
        ("/var/lib/pco/mirrors/PROJECT.git", "mirror of the repository, where the branches are"),
        (
            "/etc/pco/credentials/git-push",
            "the credential; root alone can read it, the unit gets it by LoadCredential=",
        ),
        AUDIT,
    ],
    "attach": [ATTACH],
    "relay": [ATTACH, ("/run/pco-session/KEY/tmux.sock", "the session's tmux server")],
    "config": [CONFIGURATION, ("/var/lib/pco/audit/configuration.json", "what was taken up last, masked"), AUDIT],
    "doctor": [CONFIGURATION, SPOOL, ("/var/lib/pco/audit/attested/ID.json", "what people answered for"), AUDIT],
    "backup": [
        CONFIGURATION,
        BACKUPS,
        ("/etc/pco/hooks.d/backup/*", "programs that carry a backup away"),
        STANDING,
        AUDIT,
    ],
    "restore": [
        CONFIGURATION,
        BACKUPS,
        ("/etc/pco/restored/", "files of a backup's configuration that a person puts in place"),
        ("/var/spool/pco/control/restoring", "while it is there a restore is not finished, and nothing else runs"),
        STANDING,
        AUDIT,
    ],
    "purge": [
        CONFIGURATION,
        SPOOL,
        SESSIONS,
        ("/var/spool/pco/control/purge/KEY", "a purge is not finished yet; pco-retention finishes it"),
        AUDIT,
    ],
    "retention": [CONFIGURATION, SPOOL, SESSIONS, AGENTS, SPEND, AUDIT],
    "audit": [CONFIGURATION, AUDIT],
    "report": [
        CONFIGURATION,
        SPOOL,
        AUDIT,
        SPEND,
        ("/var/log/nginx/access.log*", "who read the dashboard; root and members of group adm may read it"),
        ("/var/spool/pco/notify/", "where --digest and --weekly leave what pco-notify tells people"),
    ],
    "alert": [("/var/spool/pco/notify/failed-UNIT.json", "what people shall be told of; see pco-spool(5)")],
    "notify": [
        CONFIGURATION,
        ("/etc/pco/hooks.d/EVENT/*, hooks.d/all/*", "an administrator's programs; nobody but root may write there"),
        ("/usr/share/pco/hooks/", "what sends mail, posts to webhooks and ntfy; usable by own programs"),
        ("/etc/pco/credentials/notify-*", "mail: a password, webhook: its address, ntfy: a token; root's, mode 0600"),
        ("/var/spool/pco/notify/NAME.json, sending/", "what waits and what is under way; see pco-spool(5)"),
        ("/var/lib/pco/metrics/notify.json", "what has arrived, and how trials went; see pco-spool(5)"),
    ],
    "setup": [
        CONFIGURATION,
        ("/etc/pco/pco.yaml.bak-TIME", "what stood in pco.yaml before pco-setup changed it"),
        ("/etc/pco/credentials/plane-token", "the token; root alone can read it, units get it by LoadCredential="),
        ("/etc/pco/credentials/agent", "the agent's key, likewise; only sessions get it"),
    ],
    "dashboard": [
        CONFIGURATION,
        SPOOL,
        ("/var/lib/pco/www/", "the pages; index.html, board.json"),
        ("/var/lib/pco/www/health.json", "how pco is; ok.json: the same, only while it is well"),
        ("/var/lib/pco/www/metrics.txt", "the same for Prometheus, and what has happened so far; see pco-metrics(7)"),
        TALLY,
        SPEND,
        AUDIT,
        ("/etc/pco/nginx/*.inc", "who may read them, from where, under which names, with which certificate"),
    ],
}
BUGS = {
    "report": "Other sites of the machine that nginx logs in the same file, and whose pages have the same names, are "
    "counted as the dashboard.  Waiting is measured from the last move: a ticket that was sent back and approved "
    "again waited twice.  Money belongs to the day on which it was spent, sessions to the day on which they ended.",
    "poll": "Plane cannot filter on its side and gives no list of what was removed, so a removed item is noticed when "
    "the project's count falls, or within ten minutes.",
    "launch": "Times are compared with the wall clock; a clock that jumps back delays retries.",
    "post": "A comment is looked up by the external id that pco gave it; somebody who changes that id in Plane by the "
    "API can make pco post it again.",
    "push": "One credential serves all projects.  Branches stay where they were pushed: who merges them removes them.",
    "watch": "Signs of life come from the session itself: an agent that fakes them is ended by max_duration only.  "
    "What a session cost is its own word, too.",
    "session": "Commits on branches other than pco/KEY stay in the workspace and are not handed over.",
    "hook": "An agent that is interrupted by Esc, or killed, says nothing: then the screen, the exit record and the "
    "deadlines speak.",
    "config": "Who edited a file nobody tells: the audit record names the file's owner.",
    "doctor": "It sees what is so now; what fails only under load, or once a year, does not show in it.",
    "backup": "What running sessions have not handed over yet is not in it: neither workspaces nor conversations of "
    "agents. A bundle has the whole history of its branches, each night anew: give large repositories room.",
    "purge": "Commits that were taken in within the last hour stay in the mirror, without a name, until it is next "
    "tidied up. A backup that is restored brings back what was purged after it was made: purge it again.",
    "retention": "A branch that was pushed, or that somebody fetched, is not removed where it is now.  Where the clock "
    "was once months or years ahead, all audit records since then are in the file of that month, and stay until it is "
    "over and no longer the latest.",
    "restore": "What pco did after the backup was made is known only to Plane: a round that began and was posted then "
    "comes back as a new one for approval if the comment or state that began it is still the last word there. The "
    "journal of a backup is not put back; systemd-journal-remote(8) reads it.",
    "alert": "A machine that is out of memory or processes cannot start it: watch health.json from elsewhere, too.",
    "setup": "Comments in a pco.yaml that it has to change are kept only in pco.yaml.bak-TIME.  What stands in "
    "pco.yaml.d/*.yaml goes before its answers.  Whether an OAuth token is taken may show only in the first session.",
    "dashboard": "A page that was drawn before pco stopped goes on saying that all was well; its foot says when. "
    "Only health.json grows old.",
    "notify": "A program that leaves its process group (setsid) is ended only with the unit.  The sendmail of Postfix "
    "and of Exim needs rights that the sandbox takes away: name their server, localhost:25, instead.",
    "queue": "Members of group pco are trusted not to change files of the spool by hand.",
}
ENVIRONMENT = [
    ("PCO_CONFIG", "the configuration, where --config names none"),
    (
        "PCO_LOG_LEVEL",
        "debug, info, warning or error; goes before log.level of the configuration, as in a drop-in of a "
        "unit: systemctl edit pco-poll, Environment=PCO_LOG_LEVEL=debug. Options --verbose and --quiet go before it.",
    ),
    ("NO_COLOR", "if set, no colours"),
]
JOURNAL = """
Under systemd every program writes native records to the journal; where none is, lines to standard error. What people do
in a shell (pco-queue, pco-complete) is written there, too, unless paths.root of the configuration is set: the pco of a
checkout or a test stays out of the machine's journal. Reading it needs the group systemd-journal.

    journalctl PCO_KEY=WEB-12           all of a ticket, from poll to post, across programs and people
    journalctl -x PCO_KEY=WEB-12        the same, explained
    journalctl PCO_PROJECT=WEB PCO_STATE=failed -S today
    journalctl -t pco-alert             which units have failed
    journalctl -u 'pco-*' -f            what all units say

A record about a ticket has PCO_KEY, PCO_PROJECT (the prefix of the key), PCO_STATE, PCO_ROUND, PCO_ATTEMPT and PCO_USER
(who decided, as the program says; _UID and _AUDIT_LOGINUID are the journal's own words for who ran it, and who had
logged in); one about a unit that has failed PCO_UNIT and PCO_RESULT. Each kind of event has a MESSAGE_ID. PCO_AUDIT is
the hash of the record's line in the audit record. Any user of the machine can write such records: what counts as proof
is the audit record, and pco-audit verify.
"""
CONFIGURED = """
All programs read /etc/pco/pco.yaml, or the file that --config or $PCO_CONFIG names, and then the files *.yaml in the
folder of the same name with .d behind it, by name, each over what came before: mappings are merged, everything else is
replaced.

It is YAML of the simple kind: no aliases, no tags, no key twice, at most 1 MiB. A key that pco does not know, or a
value of the wrong kind, ends a program with exit code 78 before it does anything, and names file, line and the nearest
known key. "pco-config check" says so beforehand, "pco-config show" what is in force.

No secret belongs here. Tokens and keys are files in /etc/pco/credentials, for root alone; units get them from there.

A program reads it when it starts: timers take up a change with their next run, pco-watch when it is restarted, which
leaves the sessions alone. A change is audited with its diff.
"""
KEYS = """
Durations are written 50ms, 90s, 20m, 4h, 7d; shares 20%; money is in USD, 0 for no limit; paths are absolute. What
stands behind a # is the default.
"""
DATED = "2026-11-28"  # of this version
EXITS = [
    ("0", "done, or nothing to do"),
    ("2", "wrong usage"),
    ("65", "bad data: at least one ticket was refused or set aside"),
    ("69", "something that must be installed is missing"),
    ("71", "the system refused: disk full, permission, I/O error"),
    ("75", "try again later; the timer will"),
    ("77", "not permitted"),
    ("78", "configuration; a restart will not help"),
    ("130", "interrupted"),
]


def main(folder: Path) -> None:
    """Write all pages into `folder`."""
    for program in ["overview", *(row[0].removeprefix("pco-") for _, rows in overview.TASKS for row in rows)]:
        module = import_module(f"pco.commands.{program}")
        name = "pco" if program == "overview" else f"pco-{program}"
        (folder / f"{name}.1").write_text(clean(page(name, program, module.__doc__ or "", as_command(module))))
    for source in HERE.glob("*.[57].md"):
        (folder / source.stem).write_text(clean(from_markdown(source.stem, source.read_text())))
    (folder / "pco.yaml.5").write_text(clean(configuration()))
    values = {"VERSION": __version__, "MOVES": moves(), "RECORD": record(), **screens.VALUES}
    values |= {"METRICS": metrics(), "OUTCOMES": plain(", ".join(retry.OUTCOMES))}
    for written in HERE.glob("*.[57]"):
        content = re.sub("@([A-Z]+)@", lambda found: values[found[1]], screens.put_in(written.read_text(), plain))
        (folder / written.name).write_text(clean(content))


def configuration() -> str:
    """pco.yaml(5): what holds for the whole file, then the file itself, which says what each key means."""
    shown = (HERE.parents[1] / "etc" / "pco.yaml").read_text().rstrip()
    parts = [f'.TH PCO.YAML 5 "" "pco {__version__}" "pco"', ".SH NAME", "pco.yaml \\- configuration of pco"]
    parts += [".SH DESCRIPTION", *paragraphs(CONFIGURED)]
    parts += [".SH KEYS", *paragraphs(KEYS), ".PP", ".nf", *(plain(line) or ".sp" for line in shown.split("\n")), ".fi"]
    parts += [".SH FILES", ".TP", CONFIGURATION[0].replace("-", "\\-"), CONFIGURATION[1]]
    return "\n".join([*parts, ".SH SEE ALSO", ".BR pco\\-config (1),", ".BR pco\\-setup (1),", ".BR pco (7)", ""])


def clean(page: str) -> str:
    """What mandoc -T lint asks for: a date, and no paragraph where a section has just begun one."""
    dated = re.sub(r'^(\.TH \S+ \d) ""', rf'\1 "{DATED}"', page, flags=re.M)
    return re.sub(r"^(\.S[HS] .*)\n(?:\.PP\n)+", r"\1\n", dated, flags=re.M)


def from_markdown(name: str, text: str) -> str:
    """A page of man(7) from the little Markdown that pages for people are written in: headings, paragraphs, blocks.

    A picture becomes a line with what it shows, for a page on a terminal has none.  The first line is
    `# NAME - what it is`; further `# ` and `## ` are sections and subsections.  A paragraph that begins with `See: `,
    `Why: `, `Do: ` or `Over: ` gets that word as its tag.
    """
    first, _, rest = text.partition("\n")
    title, _, section = name.rpartition(".")
    parts = [f'.TH {title.upper()} {section} "" "pco {__version__}" "pco"', ".SH NAME", plain(first.removeprefix("# "))]
    parts += [".SH DESCRIPTION"]
    for block in re.split(r"\n\s*\n", rest.strip()):
        picture = re.fullmatch(r"!\[([^\]]+)\]\([^)\s]+\)", block.replace("\n", " "))
        tag = re.match(r"(See|Why|Do|Over): ", block)
        if block.startswith("## "):
            parts += [f".SS {plain(block[3:])}"]
        elif block.startswith("# "):
            parts += [f".SH {plain(block[2:].upper())}"]
        elif block.startswith("    "):
            parts += [".PP", ".RS 4", ".nf", *(plain(line[4:]) for line in block.split("\n")), ".fi", ".RE"]
        elif picture:
            parts += [".PP", ".I " + plain(f"Picture: {picture[1]}")]
        elif tag:
            parts += [".TP", f".B {tag[1]}", plain(block[tag.end() :].replace("\n", " "))]
        else:
            parts += [".PP", plain(block.replace("\n", " "))]
    return "\n".join([*parts, ".SH SEE ALSO", ".BR pco (1),", ".BR pco\\-doctor (1),", ".BR pco\\-queue (1)", ""])


def as_command(module: ModuleType) -> click.Command:
    """The program as click sees it; pco-hook does without click, and says the same in HELP."""
    if isinstance(module.main, click.Command):
        return module.main
    arguments = module.HELP.partition("\n")[0].split()[2:]
    params: list[click.Parameter] = [
        click.Argument([word.strip("[]").split("|")[0]], metavar=word) for word in arguments
    ]
    words = module.HELP.split("\n", 1)[1].replace("Examples:", "\b\nExamples:")
    return click.Command("hook", help=words, params=params)


def page(name: str, program: str, description: str, command: click.Command) -> str:
    """One manual page in man(7)."""
    context = click.Context(command, info_name=name)
    help_text = inspect.cleandoc(command.help or "")
    summary = help_text.partition("\n\n")[0].split(". ")[0].rstrip(".").replace("\n", " ")
    parts = [f'.TH {name.upper()} 1 "" "pco {__version__}" "pco"', ".SH NAME", f"{plain(name)} \\- {plain(summary)}"]
    parts += [".SH SYNOPSIS", f".B {plain(name)}", plain(" ".join(command.collect_usage_pieces(context)))]
    parts += [".SH DESCRIPTION", *paragraphs(description)]
    parts += [".SH OPTIONS", *options(command, context)]
    if isinstance(command, click.Group):
        parts += [".SH VERBS", *verbs(command, context)]
    if examples(help_text):
        parts += [".SH EXAMPLES", ".nf", *map(plain, examples(help_text)), ".fi"]
    if program == "overview":
        parts += [".SH JOURNAL", *paragraphs(JOURNAL)]
    if program == "dashboard":
        parts += [".SH FEEDS", *paragraphs(feeds.__doc__ or ""), *paragraphs(listed.__doc__ or "")]
    parts += [".SH ENVIRONMENT"]
    parts += [line for names, what in ENVIRONMENT for line in (".TP", f".B {plain(names)}", plain(what))]
    if FILES[program]:
        parts += [".SH FILES", *(line for path, what in FILES[program] for line in (".TP", plain(path), plain(what)))]
    parts += [".SH EXIT STATUS", *(line for code, what in EXITS for line in (".TP", f".B {code}", plain(what)))]
    if program in BUGS:
        parts += [".SH BUGS", plain(BUGS[program])]
    return "\n".join([*parts, ".SH SEE ALSO", ".BR pco (1),", ".BR pco-spool (5)", ""])


def moves() -> str:
    """The table of moves, for pco-spool(5)."""
    rows = []
    for move in MOVES:
        from_ = ", ".join(state.value if state else "(none)" for state in move.from_)
        to = ", ".join(state.value if state else "(none)" for state in move.to)
        who = "any program that holds the lock" if move.who == ("*",) else ", ".join(move.who)
        rows += [".TP", f".B {plain(f'{from_} -> {to}')}", plain(f"{who}: {move.when}")]
    return "\n".join(rows)


def metrics() -> str:
    """All metrics, for pco-metrics(7)."""
    rows = []
    known = {**GAUGES, **counting.WHAT}
    for name, (labels, what) in sorted(known.items()):
        kind = "gauge" if name in GAUGES else "histogram" if name in counting.BOUNDS else "counter"
        named = f"{name}{{{labels}}}" if labels else name
        rows += [".TP", f".B {plain(named)}", plain(f"({kind}) {what}")]
    return "\n".join(rows)


def record() -> str:
    """The fields of a record, for pco-spool(5): each class with its fields and their kinds."""
    rows = []
    classes = [ticket.Ticket, ticket.Round, *(c for c in vars(ticket).values() if is_part(c))]
    for kind in dict.fromkeys(classes):
        rows += [".TP", f".B {kind.__name__}", plain(" ".join((kind.__doc__ or "").split())), ".RS", ".nf"]
        fields = [f for f in dataclasses.fields(kind) if not f.metadata.get("state")]
        rows += [plain(f"{f.name.rstrip('_')}: {kind_of(f.type)}") for f in fields]
        rows += [".fi", ".RE"]
    return "\n".join(rows)


def is_part(thing: object) -> bool:
    """Whether it is one of the record's classes."""
    return isinstance(thing, type) and dataclasses.is_dataclass(thing)


def kind_of(annotation: object) -> str:
    """A type as people read it."""
    name = annotation.__name__ if isinstance(annotation, type) and "[" not in str(annotation) else str(annotation)
    return name.replace("pco.ground.ticket.", "").replace("datetime.datetime", "time").replace("datetime", "time")


def options(command: click.Command, context: click.Context) -> list[str]:
    """The options as --help gives them."""
    rows = [record for p in command.get_params(context) if (record := p.get_help_record(context))]
    return [line for names, what in rows for line in (".TP", f".B {plain(names)}", plain(what))]


def verbs(group: click.Group, context: click.Context) -> list[str]:
    """A subsection for each verb."""
    lines = []
    for name in group.list_commands(context):
        verb = group.get_command(context, name)
        assert verb is not None
        inner = click.Context(verb, info_name=name, parent=context)
        lines += [f".SS {plain(name)} {plain(' '.join(verb.collect_usage_pieces(inner)))}"]
        told = inspect.cleandoc(verb.help or "")
        lines += paragraphs("\n\n".join(block for block in told.split("\n\n") if not block.startswith("\b")))
        lines += options(verb, inner)
        if examples(told):
            lines += [".PP", ".nf", *map(plain, examples(told)), ".fi"]
    return lines


def examples(help_text: str) -> list[str]:
    """The lines of the paragraphs that --help leaves as they are."""
    blocks = [block for block in help_text.split("\n\n") if block.startswith("\b")]
    return [line for block in blocks for line in [*block.split("\n")[1:], ""] if line != "Examples:"]


def paragraphs(text: str) -> list[str]:
    """Paragraphs of a docstring; indented ones stay as they are."""
    lines = []
    for block in re.split(r"\n\s*\n", text.strip()):
        indented = all(line.startswith("    ") for line in block.splitlines())
        body = [".nf", *map(plain, block.splitlines()), ".fi"] if indented else [plain(block.replace("\n", " "))]
        lines += [".PP", *body]
    return lines


def plain(text: str) -> str:
    """Text that roff leaves alone."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{text}" if text[:1] in (".", "'") else text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
