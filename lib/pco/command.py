"""What makes a function a program: the options that all share, and how a program ends.

`@command` makes a click command of a function whose first argument is a `Pco`, its run.  Every program then has
--config, --verbose, --quiet, --color, --version and the exit codes of sysexits.h, and shows no traceback for what is
foreseeable.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Any

import click

from pco import __version__
from pco.ground.errors import PcoError, SystemFault
from pco.run import DEFAULT_CONFIG, LEVELS, Pco
from pco.voice import Voice

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Program(click.Command):
    """A program.  Called (as an entry point does), it runs to its end."""

    def __call__(self) -> None:
        run(self)


class Verbs(Program, click.Group):
    """A program with verbs."""


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every program has."""
    for option in (
        click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s"),
        click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours."),
        click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong."),
        click.option("-v", "--verbose", count=True, help="Say more; twice: everything."),
        click.option("--config", metavar="FILE", help=f"Default: $PCO_CONFIG, else {DEFAULT_CONFIG}."),
    ):
        function = option(function)
    return function


def configure(pco: Pco, config: str | None, verbose: int, quiet: bool, color: str) -> None:
    """Put the common options into `pco`."""
    pco.config_file = config or pco.config_file
    pco.loudness = -1 if quiet else min(verbose, 2) or pco.loudness
    if pco.level is None:
        pco.level = _level_wanted(pco.voice)
    if color != "auto":
        pco.color = color == "always"
    elif "NO_COLOR" in os.environ:
        pco.color = False


def _level_wanted(voice: Voice) -> str:
    """What $PCO_LOG_LEVEL asks for, as a drop-in of a unit may; a wrong one is said, and passed over."""
    level = os.environ.get("PCO_LOG_LEVEL", "")
    if level in LEVELS or not level:
        return level
    voice.say(LEVELS["warning"], f"PCO_LOG_LEVEL={level!r} is none of {', '.join(LEVELS)}; passed over", {})
    return ""


def command(function: Callable[..., Any]) -> click.Command:
    """Make a program of `function(pco, ...)`: its docstring is the help."""
    program = f"pco-{function.__module__.rpartition('.')[2]}"

    @wraps(function)
    def started(config: str | None, verbose: int, quiet: bool, color: str, **given: Any) -> None:
        pco = Pco(program)
        configure(pco, config, verbose, quiet, color)
        with pco.hidden():
            function(pco, **given)
        raise SystemExit(pco.trouble)

    return click.command(program, cls=Program, context_settings=CONTEXT)(options(started))


def verb(function: Callable[..., Any]) -> click.Command:
    """Make a verb of `function(pco, ...)`: its name is the verb, its docstring the help."""
    name = function.__name__.rstrip("_")

    @wraps(function)
    def run(config: str | None, verbose: int, quiet: bool, color: str, **given: Any) -> None:
        pco: Pco = click.get_current_context().obj
        pco.verb = name
        configure(pco, config, verbose, quiet, color)
        with pco.hidden():
            function(pco, **given)
        raise SystemExit(pco.trouble)

    return click.command(name, context_settings=CONTEXT)(options(run))


def run(program: click.Command) -> None:
    """Run a program to its end: each foreseeable failure is one line and its exit code."""
    name = program.name or "pco"
    out = sys.stdout
    for stream in (out, sys.stderr):
        # A terminal that knows no Unicode gets a question mark, not a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if f"_{name.upper().replace('-', '_')}_COMPLETE" in os.environ:
        from pco.commands import completing

        completing.prepare()
    try:
        program.main(prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as end:
        raise SystemExit(end.exit_code) from None
    except (click.exceptions.Abort, KeyboardInterrupt):
        # A second Ctrl-C, as it ends, would change its exit code.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo(f"{name}: interrupted", err=True)
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except PcoError as error:
        _complain(name, error)
        raise SystemExit(error.exit) from None
    except SystemExit as end:
        # click ends with 1 when the reader has what it wanted (`| head`); that it has put another stdout there tells.
        if sys.stdout is not out:
            raise SystemExit(0) from None
        raise end from None
    except BrokenPipeError:
        # As above, met outside of click: let nothing be flushed into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        _complain(name, SystemFault(f"{error.filename or 'system'}: {error.strerror or error}"))
        raise SystemExit(SystemFault.exit) from None


def _complain(name: str, error: PcoError) -> None:
    from pco.ground import messages

    event = messages.failure(error.exit, "")
    Voice(name).say(LEVELS["error"], str(error), {"MESSAGE_ID": messages.message_id(event)}, error.hint)
