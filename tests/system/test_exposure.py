"""How exposed each unit is, as systemd judges it where it has done its work."""

from collections.abc import Iterator

import pytest
from inside import Inside, await_agent, begin, furnish, state
from installed import UNITS, WEB, Installed, booted

from pco.checks.services import bar

LOOK = "import socket, sys; socket.socket(socket.AF_UNIX).connect(f'/run/pco-attach/{sys.argv[1]}.sock')"
SERVICES = sorted(path.stem for path in UNITS.glob("*.service"))


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, with a simulated Plane, in which tickets went all ways."""
    with booted("e") as pco:
        pco.configure()
        pco.simulate()
        furnish(pco)
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


@pytest.fixture(scope="module")
def ran(pco: Installed) -> dict[str, str]:
    """The unit that did its work, by service: one ticket went from Plane to Plane, one session was killed."""
    key = pco.maria("maria.key(maria.create('Do it', state='Todo'))")
    good, bad = Inside(pco.host, key), begin(pco)[0]
    pco.wait("the poll", lambda: state(pco, good) == "pending")
    pco.run("pco-queue", "approve", "--yes", key)
    await_agent(pco, good)
    bad.does("import os; os.kill(-1, 9)")
    pco.python(LOOK, key, user="alice")
    good.complete("All done.")
    good.ends()
    pco.wait("its end", lambda: state(pco, good) == "completed")
    pco.run("pco-queue", "post", "--yes", key)
    pco.wait("the post", lambda: state(pco, good) == "posted")
    pco.wait("the end of the other", lambda: state(pco, bad) != "active")
    pco.host.systemctl("start", "pco-push.service")
    pco.host.systemctl("start", "pco-retention.service", "pco-digest.service", "pco-weekly.service")
    pco.host.write("/etc/pco/hooks.d/backup/10-nothing", "#!/bin/sh\n", "755")
    pco.host.systemctl("start", "pco-backup.service")
    pco.wait("the backup", lambda: pco.host.show("pco-offsite", "ExecMainCode")["ExecMainCode"] == "1")
    pco.host.systemctl("start", "pco-restore-test.service")
    pco.host.systemctl("start", "pco-collect@NO-1.service", code=None)  # there is nothing: it fails
    names = {service: service for service in SERVICES}
    names |= {service: service + key for service in SERVICES if service.endswith("@")}
    return {
        **names,
        "pco-collect-failed@": f"pco-collect-failed@{bad.key}",
        "pco-alert@": "pco-alert@pco-collect@NO-1.service",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_what_did_its_work_is_exposed_no_more_than(pco, ran, service):
    unit, most = f"{ran[service]}.service", round(bar(service) * 10)
    ended = f"{unit}: Deactivated successfully."

    def worked() -> bool:
        shown = pco.host.show(unit, "ActiveState", "ExecMainCode", "ExecMainStatus")
        # pco-stale runs twice a minute, and is silent about it.
        well = shown["ActiveState"] == "active" or (shown["ExecMainCode"], shown["ExecMainStatus"]) == ("1", "0")
        return well or any(entry["MESSAGE"] == ended for entry in pco.host.journal("-u", unit))

    pco.wait(f"the work of {unit}", worked)
    pco.host.exec("systemd-analyze", "security", "--no-pager", f"--threshold={most}", unit)
