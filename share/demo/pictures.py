#!/usr/bin/env python3
"""Make pictures: pictures.py SCREENS FOLDER NAME..., of kept screens, as pco's pages show them; pictures.py FOLDER.

SCREENS/NAME.ansi becomes FOLDER/NAME.png.  With FOLDER alone, board.png and ticket.png are made in it: the dashboard of
a pco that looks lived in.  A browser draws them, in a profile of its own that is thrown away.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "lib"))

import exhibit  # noqa: E402

from pco.pages import screen  # noqa: E402
from pco.pages.html import document, el  # noqa: E402

COLUMN, LINE, EDGE = 7.83, 17.55, 26  # pixels of a character at 13px, of a line at 1.35, of what surrounds the screen
STYLE = """
body { padding: 0; max-width: none; background: #14161a; }
.screen { border: 0; border-radius: 0; max-height: none; overflow: hidden; font-size: 13px;
          font-family: "DejaVu Sans Mono", Symbola, monospace; }
"""


def main() -> int:
    """Draw each."""
    with tempfile.TemporaryDirectory() as scratch:
        if len(sys.argv) == 2:
            dashboard(Path(scratch), Path(sys.argv[1]).resolve())
            return 0
        screens, folder, *names = sys.argv[1:]
        (Path(scratch) / "style.css").write_text((TOP / "share" / "www" / "style.css").read_text() + STYLE)
        for name in names:
            draw(Path(scratch), (Path(screens) / f"{name}.ansi").read_text(), Path(folder).resolve() / f"{name}.png")
    return 0


def draw(scratch: Path, drawn: str, to: Path) -> None:
    """One picture, just large enough."""
    text = re.sub(r"\n{3,}", "\n\n", drawn.strip("\n"))
    lines = re.sub(r"\x1b\[[0-9;:]*m", "", text).split("\n")
    size = (round(max(map(len, lines)) * COLUMN) + 2 * EDGE, round(len(lines) * LINE) + EDGE)
    sheet = el("link", {"rel": "stylesheet", "href": "style.css"})
    page = document(
        [el("meta", {"charset": "utf-8"}), sheet, el("title", None, to.stem)], [screen.picture(text.encode())]
    )
    (scratch / "page.html").write_bytes(page)
    shoot(scratch, scratch / "page.html", to, size)


def dashboard(scratch: Path, folder: Path) -> None:
    """The board, and the page of a ticket that waits to be accepted."""
    exhibit.make(scratch / "pco", 60)
    www = scratch / "pco" / "www"
    shoot(scratch, www / "index.html", folder / "board.png", (1680, 1150))
    shoot(scratch, www / "ticket" / "WEB-3.html", folder / "ticket.png", (1280, 1000))


def shoot(scratch: Path, page: Path, to: Path, size: tuple[int, int]) -> None:
    """Have the browser draw a page."""
    argv = ["chromium", "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={scratch}/profile"]
    argv += ["--no-sandbox"] if os.geteuid() == 0 else []
    argv += [f"--window-size={size[0]},{size[1]}", f"--screenshot={to}", f"file://{page}"]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    sys.exit(main())
