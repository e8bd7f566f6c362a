"""The booted host that all tests of this folder share, one per test process."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import machine
from host import Host


@pytest.fixture(scope="session")
def able() -> None:
    """This test needs a host: without root it is skipped, as root a machine that cannot boot one is a failure."""
    if os.geteuid() != 0:
        pytest.skip("booting a systemd needs root")
    missing = machine.missing()
    assert not missing, f"a test host needs: {'; '.join(missing)}"


@pytest.fixture(scope="session")
def host(able: None) -> Iterator[Host]:
    """A running host; a test leaves it running and without units of its own."""
    host = Host(f"t{os.getpid()}").up()
    yield host
    host.down()
