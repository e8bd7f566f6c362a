"""Native records in the real journal."""

import pytest
from host import Host

from pco.ground import messages

SAY = "import sys; sys.path.insert(0, '/src/lib'); from pco.outside import journal; "


@pytest.fixture
def said(host: Host):
    """Send a record from a sandboxed unit."""
    sandbox = {
        "User": "daemon",
        "ProtectSystem": "strict",
        "PrivateNetwork": "yes",
        "RestrictAddressFamilies": "AF_UNIX",
    }

    def said(message: str, **fields: object) -> None:
        code = f"{SAY} assert journal.Journal().send({message}, {fields!r})"
        host.run("/usr/bin/python3", "-c", code, properties=sandbox)

    return said


def test_a_ticket_is_found_by_its_key(host, said):
    fields = {"PCO_STATE": "active", "PCO_ROUND": 2, "PRIORITY": 5, "SYSLOG_IDENTIFIER": "pco-launch"}
    said("'WEB-12: approved -> active'", PCO_KEY="WEB-12", **fields)
    said("'another'", PCO_KEY="WEB-13")

    (entry,) = host.journal("PCO_KEY=WEB-12")

    assert entry["MESSAGE"] == "WEB-12: approved -> active"
    expected = {name: str(value) for name, value in fields.items()}
    assert {name: entry[name] for name in fields} == expected


def test_a_message_of_several_lines_and_a_very_long_one_arrive_whole(host, said):
    said("'one\\ntwo'", PCO_KEY="WEB-21")
    said("'x' * 500_000", PCO_KEY="WEB-22")

    assert host.journal("PCO_KEY=WEB-21")[0]["MESSAGE"] == "one\ntwo"
    assert len(host.journal("PCO_KEY=WEB-22")[0]["MESSAGE"]) == 500_000


def test_the_catalog_explains_a_message_with_the_key_of_its_ticket(host, said):
    host.exec("install", "-D", "-m", "644", "/src/systemd/pco.catalog", "/usr/lib/systemd/catalog/pco.catalog")
    host.exec("journalctl", "--update-catalog")
    said("'WEB-31: active -> failed'", PCO_KEY="WEB-31", MESSAGE_ID=messages.message_id("moved", "active", "failed"))

    explained = host.exec("journalctl", "-q", "-x", "PCO_KEY=WEB-31").stdout

    assert "Ticket WEB-31 has failed; a person decides" in explained
    assert "pco-queue retry WEB-31" in explained
