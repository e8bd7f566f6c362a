#!/usr/bin/env python3
"""Make what bash and zsh need to complete pco's command lines: make.py FOLDER.

FOLDER/NAME   for bash, which loads a file by the program's name         FOLDER/_pco   for zsh, one for all programs
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(folder: Path) -> None:
    """Write all files into `folder`."""
    programs = sorted(path.name for path in (HERE.parents[1] / "bin").glob("pco*"))
    for old in folder.iterdir():
        old.unlink()
    bash, zsh = (
        (HERE / f"{shell}.in").read_text().replace("@PROGRAMS@", " ".join(programs)) for shell in ("bash", "zsh")
    )
    for program in programs:
        (folder / program).write_text(bash)
    (folder / "_pco").write_text(zsh)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
