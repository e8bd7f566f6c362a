#!/usr/bin/env python3
"""Make pictures of kept screens, as pco's pages show them: pictures.py SCREENS FOLDER NAME...

SCREENS/NAME.ansi becomes FOLDER/NAME.png.  A browser draws them, in a profile of its own that is thrown away.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "lib"))

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
    screens, folder, *names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
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
    argv = ["chromium", "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={scratch}/profile"]
    argv += ["--no-sandbox"] if os.geteuid() == 0 else []
    argv += [f"--window-size={size[0]},{size[1]}", f"--screenshot={to}", f"file://{scratch}/page.html"]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    sys.exit(main())
