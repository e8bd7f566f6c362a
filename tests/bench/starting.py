"""How soon a program answers a person, and what it does not load for that."""

from collections.abc import Iterator
from pathlib import Path

from bench.measure import PYTHON, Figure, a_site, beside, command, fill, in_turns, program, scratch
from pco.ground.ticket import State
from support import TOP

IMPORT_CLICK = command([PYTHON, "-c", "import click"])


def help_and_list(folder: Path) -> Iterator[Figure]:
    """`pco-queue --help`, and a list of 1,000 tickets as JSON, beside the import of click."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        fill(site, State.PENDING, 1000)
        listed = program(site, "pco-queue", "list", "--format", "json")
        assert listed().count('"key"') == 1000
        floor, help, list = in_turns(15, IMPORT_CLICK, program(site, "pco-queue", "--help"), listed)
    yield beside("pco-queue --help", help, floor, 1.5, "import click")
    yield beside("pco-queue list, 1000 pending, JSON", list, floor, 4, "import click")


def imports(folder: Path) -> Iterator[Figure]:
    """Modules that must not be loaded: by readers no lock and no table, by what hooks use neither click nor yaml."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        fill(site, State.PENDING, 3)
        readers = {
            "list --format json": ["filelock", "tabulate", "requests", "markdown_it"],
            "list --format keys": ["filelock", "tabulate", "requests", "markdown_it"],
            "show WEB-1": ["filelock", "requests", "markdown_it"],
            "--help": ["filelock", "tabulate", "requests", "markdown_it", "yaml"],
        }
        for args, banned in readers.items():
            argv = [PYTHON, "-c", RUN, str(TOP / "bin" / "pco-queue"), ",".join(banned), *args.split()]
            found = command(argv, site.environment())().splitlines()[-1].split()[1:]
            yield Figure(f"pco-queue {args}: needless imports", len(found), "", 0, None, "none", " ".join(found))
    found = command([PYTHON, "-c", HELPER], {"PYTHONPATH": str(TOP / "lib")})().split()
    yield Figure("ground/events.py: click, yaml", len(found), "", 0, None, "none", " ".join(found))


RUN = """
import runpy, sys
program, banned = sys.argv[1], sys.argv[2].split(",")
sys.argv = [program, *sys.argv[3:]]
try:
    runpy.run_path(program, run_name="__main__")
finally:
    print("\\nloaded:", *(name for name in banned if name in sys.modules))
"""
HELPER = """
import sys, pco.ground.events
print(*(name for name in ("click", "yaml") if name in sys.modules))
"""
