"""Fixtures for all tests."""

import os
from pathlib import Path
from typing import Any

import pytest

from pco.spool import Spool
from support import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A laid-out pco without Plane: tests that need it configure plane themselves."""
    home = tmp_path / "pco"
    made = Site(home, home / "pco.yaml", {})
    home.mkdir()
    Spool(home / "spool", "pco-poll").lay_out()
    for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "run"):
        (home / name).mkdir()
    os.mkfifo(home / "run" / "trigger")
    made.configure(paths={"root": str(home)})
    return made


@pytest.fixture
def spool(site: Site) -> Spool:
    """The spool as pco-poll sees it."""
    return site.spool()


@pytest.fixture
def pco(site: Site) -> Any:
    """Run a program: `pco("pco-launch", "--limit", "1")`."""
    return site.run
