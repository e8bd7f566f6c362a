"""How a program comes to run: in a checkout with its own .venv, and with one line if a module is missing.

Only the standard library is imported here, and little of it: every keystroke of a person waits for this.
"""

import gc
import os
import sys
from importlib import import_module

PACKAGES = {
    "click": "python3-click",
    "requests": "python3-requests",
    "yaml": "python3-yaml",
    "sdnotify": "python3-sdnotify",
    "filelock": "python3-filelock",
    "tabulate": "python3-tabulate",
    "markdown_it": "python3-markdown-it",
}


def main(module: str) -> None:
    """Run `main` of pco.commands.MODULE.  A missing package ends with one line that names it, exit 69."""
    _enter_venv()
    gc.disable()  # what is imported stays: looking through it for garbage would cost a tenth of the start
    try:
        command = import_module("pco.command")
        program = import_module(f"pco.commands.{module}").main
        gc.freeze()
        gc.enable()
        command.run(program)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in PACKAGES:
            raise
        sys.stderr.write(f"pco: the Python module {name} is missing: apt install {PACKAGES[name]}\n")
        raise SystemExit(69) from None


def _enter_venv() -> None:
    """In a checkout that has a .venv, run under it: a person need not activate anything."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    python = os.path.join(top, ".venv", "bin", "python")
    if os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) != "lib":
        return
    if "PCO_NO_VENV" not in os.environ and os.path.join(top, ".venv") != sys.prefix and os.access(python, os.X_OK):
        os.execv(python, [python, *sys.orig_argv[1:]])  # noqa: S606
