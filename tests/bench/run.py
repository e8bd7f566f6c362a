"""Measure pco against its budgets and print a table; exit 1 if one is missed.

    tests/bench/run.py [--json FILE] [--only NAME]... [--folder DIR]

Each figure stands beside its floor, measured in the same run.  Nothing here is part of the tests: on a busy machine
figures are what they are.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(TOP / "lib"), str(TOP / "tests")]

from bench import booted, growing, hooking, recovering, remembering, showing, starting, supervising, telling, writing  # noqa: E402
from bench.measure import Figure  # noqa: E402

BENCHES = {
    "start": starting.help_and_list,
    "imports": starting.imports,
    "durable": writing.durable,
    "finished": growing.finished,
    "requests": growing.requests,
    "recovery": recovering.recovery,
    "dashboard": showing.dashboard,
    "report": telling.report,
    "complete": supervising.summary,
    "hook": hooking.waited,
    "typed": hooking.typed,
    "claude": remembering.overhead,
    "watch": supervising.idle,
    "units": booted.latency,
    "units-idle": booted.idle,
    "units-board": booted.board,
    "units-doctor": booted.doctor,
}


def main() -> int:
    """Run what was asked for; returns the exit code."""
    given = arguments()
    figures: list[Figure] = []
    print(f"{'':46}{'value':>11}{'floor':>11}{'budget':>11}")
    for name in given.only or BENCHES:
        if name.startswith("units") and os.geteuid() != 0:
            print(f"  [{name}: not measured: booting a systemd needs root]", file=sys.stderr)
            continue
        begun = time.monotonic()
        for figure in BENCHES[name](given.folder):
            figures.append(figure)
            print(row(figure), flush=True)
        print(f"  [{name}: {time.monotonic() - begun:.0f} s]", file=sys.stderr)
    if given.json:
        given.json.write_text(json.dumps([{**asdict(f), "kept": f.kept} for f in figures], indent=1) + "\n")
    missed = [figure.name for figure in figures if not figure.kept]
    print(f"{len(figures) - len(missed)} of {len(figures)} within budget")
    return 1 if missed else 0


def row(figure: Figure) -> str:
    """One line of the table."""
    floor = "" if figure.floor is None else number(figure.floor, figure.unit)
    numbers = f"{number(figure.value, figure.unit):>11}{floor:>11}{number(figure.most, figure.unit):>11}"
    rest = f"  {'ok    ' if figure.kept else 'MISSED'} {figure.rule}{f'; {figure.note}' if figure.note else ''}"
    return f"{figure.name:46}{numbers}{rest}"


def number(value: float, unit: str) -> str:
    """A number with its unit; counts are whole."""
    return f"{value:.3g} {unit}" if unit and value < 100 else f"{value:.0f} {unit}".strip()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure pco against its budgets.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--only", action="append", choices=BENCHES, help="measure only this; may be given again")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on a real disk (default: /var/tmp)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
