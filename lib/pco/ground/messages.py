"""The kinds of what pco tells, each with the MESSAGE_ID under which the journal's catalog explains it.

An id never changes and is never used again: people search by it, and systemd/pco.catalog has its text.
"""

_MOVED = {
    "pending": "98fc81b49ef6456fb760ca24a265f5c6",
    "approved": "055dc530d67743af83b0ea975e07d994",
    "active": "68c44af9e72241258215f1f13e20174c",
    "completed": "7fd5f42db0104a6e91983ed384974d55",
    "outbox": "8e314311f81b4fe980fda7af9d1348e3",
    "posted": "ffd68ec69d7848068bea57d92ae30823",
    "failed": "2a5461ef3c6442448dc97eeb5141137b",
    "rejected": "7626a23cf31944b3ba015620e5a24daf",
}
_DIED = "b0a61856516f427b8c5baf79629923bc"  # active -> approved: the session has ended without a result
_TOLD = {
    "set aside": "e037ae46cbf44da5bf17df4715078ada",
    "blocked": "6d369768a3274055b7ca24a09916f0b3",
    "stop asked": "08172773117a453dbd02140b106e5541",
    "paused": "6c1cf7a22e874b7384bb290759881b57",
    "resumed": "8e9771f48d4e4727a5cf21979f196bdd",
    "refused": "861929fd247b40008cd0537d94c46833",  # something failed with one ticket, and the program went on
}
IDS = (*_MOVED.values(), _DIED, *_TOLD.values())


def message_id(event: str, came: str = "", to: str = "") -> str:
    """The id of an event as it is announced; of a move by the states it came from and went to.  Empty: it has none."""
    if event != "moved":
        return _TOLD.get(event, "")
    return _DIED if (came, to) == ("active", "approved") else _MOVED.get(to, "")
