"""Fixtures for all tests."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import pytest

import checking
from pco.ground import caller
from pco.outside.plane_wire import Wire
from pco.spool import Spool
from servers import Authority
from support import Site, laid_out

# A machine that is busy makes nothing wrong.
hypothesis.settings.register_profile("pco", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pco")

# What root's tests start is by nobody's login, as in a container: a test that becomes alice is alice.
if os.geteuid() == 0:
    with suppress(OSError):
        caller.LOGIN.write_text(str(caller.UNSET))


@pytest.fixture(autouse=True)
def _no_connection_stays_open() -> Iterator[None]:
    """Close what a test has left open to Plane: else that is garbage, and a later test fails that happens to collect it."""
    made, begin = list[Wire](), Wire.__init__

    def begun(wire: Wire, token: str) -> None:
        made.append(wire)
        begin(wire, token)

    with mock.patch.object(Wire, "__init__", begun):
        yield
    for wire in made:
        wire.close()


@pytest.fixture(autouse=True)
def _boxes(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that says it sees a box ill, or well, must have seen it so."""
    claims = [mark.args for mark in request.node.iter_markers("box")]
    checking.seen.clear()
    yield
    if claims:
        assert not list(checking.missed(claims))


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that signs certificates, and that this process trusts."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    monkeypatch.setenv("SSL_CERT_FILE", str(made.root))
    return made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A laid-out pco without Plane: tests that need it configure plane themselves."""
    return laid_out(tmp_path / "pco")


@pytest.fixture
def spool(site: Site) -> Spool:
    """The spool as pco-poll sees it."""
    return site.spool()


@pytest.fixture
def pco(site: Site) -> Any:
    """Run a program: `pco("pco-launch", "--limit", "1")`."""
    return site.run
