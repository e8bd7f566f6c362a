"""The kinds of what pco tells: each with the MESSAGE_ID under which the journal's catalog explains it.

An id never changes and is never used again: people search by it, and systemd/pco.catalog has its text.
"""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pco.ground.ticket import Ticket

_TO = {
    "pending": "98fc81b49ef6456fb760ca24a265f5c6",
    "approved": "055dc530d67743af83b0ea975e07d994",
    "active": "68c44af9e72241258215f1f13e20174c",
    "completed": "7fd5f42db0104a6e91983ed384974d55",
    "outbox": "8e314311f81b4fe980fda7af9d1348e3",
    "posted": "ffd68ec69d7848068bea57d92ae30823",
    "failed": "2a5461ef3c6442448dc97eeb5141137b",
    "rejected": "7626a23cf31944b3ba015620e5a24daf",
}
# Moves that mean something else than where they lead to says.
_MOVED = {
    ("active", "approved"): "b0a61856516f427b8c5baf79629923bc",  # the session has ended without a result
    ("approved", "pending"): "4581cc8d08f4487dbcc3f08fad78fb67",  # the approval no longer holds
    ("outbox", "completed"): "39150d76194b4dd4902e134073c8d896",  # recalled
}
_TOLD = {
    "set aside": "e037ae46cbf44da5bf17df4715078ada",
    "blocked": "6d369768a3274055b7ca24a09916f0b3",
    "at rest": "46e83b74ecc041e8811761d0dd67ad33",
    "afresh": "1797b06d670845f8a555f0d37b5a8d08",
    "stop asked": "08172773117a453dbd02140b106e5541",
    "paused": "6c1cf7a22e874b7384bb290759881b57",
    "resumed": "8e9771f48d4e4727a5cf21979f196bdd",
    "refused": "861929fd247b40008cd0537d94c46833",  # something failed with one ticket, and the program went on
    "summary": "bd72ece3e6eb4cd88a1ec17532a440f1",
    "unblocked": "4e19f54edbca4bfd88a5fa9637d96f5c",
    "ending": "9289418bc0054ee0a50b1bb927a9778c",
    "edited": "3b3c47fbd2874cbe96f005b9402d00aa",
    "note": "885a32c0bb4b4bd4b042bfd841ea27b2",
    "held": "b9b08dcd42b54c71bfddea1f6a70cd83",
    "held back": "eafc754c6ab94a238513d66e2a467703",
    "released": "9c7cbb0d1a604a8aaf7dd15ea5406fe8",
    "refreshed": "6c71250bae194194ab4cd5ef796a1dd9",
    "noted": "1db502f045f4427186117d9849dc12de",
    "forwarded": "cd04464e138e4c3a86e6bba50b21de7f",
    "given": "705a524718d44c75b37d8b9eb9d7ba82",
    "stop": "a2b8c21d7296404d8c48e7801c5b24b2",
    "attached": "4138bb6f58124a0e8fa4e31359fb3814",
    "import asked": "a04351ed7a914fa4b3a72756f1abc6d1",
    "repaired": "45e8358f5b384cb0bfa4b72e27593f52",
    "configured": "5c312737346e432e82f61986942f08b2",
    "attested": "2a183c9225a340b986ecd39cd272195c",
    "dropped": "d03dc030298f468cbdf9743e8c7a795d",
    "pushed": "093ab932a3534ab0a6a6a59e4f98a78d",
    "fetched": "33d9c8274f184ae796365caea81ef0e2",
    "push refused": "eca962c7ce6d46e78d81bbf1ee1bf1a4",
    "push asked": "7e586fd09fc5410eb1c855e078276f6f",
    # What is about no ticket.
    "undelivered": "634b50c104ac4d0aa2e3727ed731987e",
    "trouble": "5e31b7d148c64180b308e5f05a429f64",
    "later": "b04b20bfb4544d5cb44b959f3be6f97b",
    "not permitted": "91e18dab14e8408fa53699d108b05e3c",
    "misconfigured": "07dc3f82a9a8446486da651c9aab5235",
    "unit failed": "b935f938d2564b9bb7ffffdcfd4f75e4",
    "purged": "ce892455690e4b3b83263229f99465d6",
    "short of room": "a91cc568576f4ee68af264ab6f787d65",
    "room again": "a2d05c998e9342ac83cd2a98b0e91770",
    "budget reached": "ca77a4b3cc72449990a59f3695deba07",
    "backed up": "8e7c69ce2b3a4ec29cf73ca1e85cdb6a",
    "backup failed": "988ecf5c802e4b2ea9d956afc7d03c29",
    "carried away": "1872f0549d5946d4a38068231120c8cb",
    "restored": "de279bcbd1c94090a673634db22cbf93",
    "tried": "48a916abd3144d1ca452b27f02cca16c",
}
IDS = (*_TO.values(), *_MOVED.values(), *_TOLD.values())

_BY_EXIT = {75: "later", 77: "not permitted", 78: "misconfigured"}
# More than is usual: a person has to see to it.
_GRAVE = {
    "set aside": 4,
    "blocked": 5,
    "at rest": 5,
    "failed": 4,
    "completed": 5,
    "held back": 4,
    "budget reached": 4,
    "short of room": 4,
    "room again": 5,
    "push refused": 4,
    "restored": 5,
}
USUAL = 6  # of syslog(3): informational


def message_id(event: str, came: str = "", to: str = "") -> str:
    """The id of an event as it is announced; of a move by the states it came from and went to.  Empty: it has none."""
    if event != "moved":
        return _TOLD.get(event, "")
    return _MOVED.get((came, to)) or _TO.get(to, "")


def failure(exit: int, subject: str) -> str:
    """The event of an error that would end a program with `exit`, met with `subject`."""
    return "refused" if _keys(subject) else _BY_EXIT.get(exit, "trouble")


def priority(event: str, to: str = "") -> int:
    """How much an announced event weighs, as a priority of syslog(3)."""
    return _GRAVE.get(to if event == "moved" else event, USUAL)


def about(subject: str) -> dict[str, Any]:
    """The journal's fields for what a message is about: the keys of tickets in it, and their projects."""
    keys = _keys(subject)
    projects = {key.rpartition("-")[0] for key in keys} or set(re.findall(r"\A[A-Z0-9_]{1,12}\Z", subject))
    return {"PCO_KEY": keys, "PCO_PROJECT": sorted(projects)}


def told(event: str, ticket: "Ticket | None", key: str, fields: dict[str, Any], by: str) -> dict[str, Any]:
    """The journal's fields for an announced event."""
    to = str(fields.get("to", ""))
    found = {**about(key), "PCO_USER": by, "PRIORITY": priority(event, to)}
    found["MESSAGE_ID"] = message_id(event, str(fields.get("from", "")), to)
    found["PCO_STATE"] = ticket.state.value if ticket else to
    if ticket:
        found |= {"PCO_ROUND": ticket.round.n, "PCO_ATTEMPT": ticket.attempt.n if ticket.attempt else ""}
    return found


def _keys(subject: str) -> list[str]:
    return re.findall(r"(?<!\S)[A-Z0-9_]{1,12}-[0-9]{1,9}(?!\S)", subject)
