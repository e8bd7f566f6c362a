"""What a message says: for hooks as a mapping, for people as a subject and a text.

A headline has nothing in it that strangers wrote; subject and text may have titles, summaries and reasons, cleaned.
What programs go by (identifiers, keys, times, states, branches, addresses of pages) is told as it is, whatever is to be
hidden: a program could do nothing with `(hidden)`, and none of it is a text that people wrote.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pco.ground import shape, text, times
from pco.ground.notice import EVENTS, MOST_SHOWN, Message, Notice

MOST_TEXT = 16_000
MOST_REPORT = 64_000
MOST_LISTED = 20  # events of one message that are told in full
NAMED = 8  # keys in a headline
ONE = {
    "blocked": "{of} waits for a person",
    "completed": "{of} is completed: its summary is to be read",
    "failed": "{of} has failed",
    "posted": "{of} is posted",
    "held-back": "{of} is held back",
    "unit-failed": "{of} has failed",
    "health-degraded": "pco needs attention",
    "health-recovered": "pco is well again",
    "budget-reached": "the money of the day is used up",
    "push-refused": "{of}: its branch was refused where it was to be pushed",
    "short-of-room": "there is too little room for sessions",
    "room-again": "there is room for sessions again",
    "backup-failed": "a backup was not made",
    "daily-digest": "daily digest",
    "weekly-report": "weekly report",
    "test": "a test message",
}
MANY = {
    "blocked": "{n} tickets wait for a person",
    "completed": "{n} tickets are completed: their summaries are to be read",
    "failed": "{n} tickets have failed",
    "posted": "{n} tickets are posted",
    "held-back": "{n} tickets are held back",
    "push-refused": "the branches of {n} tickets were refused where they were to be pushed",
    "unit-failed": "{n} units have failed",
}
NEXT = {
    "blocked": "pco-queue attach {key}",
    "completed": "pco-queue review",
    "failed": "pco-queue show {key}",
    "held-back": "pco-queue show {key}; pco-queue release {key}",
    "unit-failed": "systemctl status {unit}",
    "push-refused": "see to the branch there, then pco-queue push {key}",
    "short-of-room": "df -h; du -xh --max-depth=2 /var/lib/private/pco-agent",
    "health-degraded": "pco-doctor; systemctl status 'pco*'",
    "budget-reached": "approved tickets go on tomorrow; pco-queue list",
    "backup-failed": "journalctl -u pco-backup.service -n 50",
}
HIGH = ("failed", "unit-failed", "health-degraded", "backup-failed", "budget-reached", "short-of-room")
LOW = ("posted", "daily-digest", "weekly-report")
EXACT = ("state", "round", "outcome", "unit", "branch", "url")  # fields that are never hidden
_REASONS = ("what", "why", "problem", "outcome")


def compose(
    message: Message,
    host: str,
    url: str,
    contacts: Mapping[str, str],
    *,
    details: bool,
    hide: Callable[[str], str] = str,
) -> dict[str, Any]:
    """What a hook gets on its standard input; `hide` takes out of what people wrote what must not be told.

    Without `details` no title, summary or reason of a ticket is in it.
    """
    shown = [_hidden(_told(notice, details=details), hide) for notice in message.notices]
    head = headline(message)
    title = shown[0].fields.get("title", "") if len(shown) == message.count == 1 else ""
    return {
        "schema": 1,
        "id": message.id,
        "event": message.event,
        "at": times.iso(message.at),
        "test": bool(message.test),
        "priority": "high" if message.event in HIGH else "low" if message.event in LOW else "default",
        "host": host,
        "count": message.count,
        "headline": head,
        "subject": f"{head}: {title}" if title else head,
        "text": _text(message, shown, host, url, contacts),
        "keys": list(message.keys),
        "url": link(url, message.keys[0] if len(message.keys) == 1 else ""),
        "contacts": dict(contacts),
        "notices": [{**shape.dump(notice), "url": link(url, notice.key)} for notice in shown],
    }


def headline(message: Message) -> str:
    """`WEB-12 has failed`; `12 tickets have failed: WEB-1, WEB-2, …`."""
    trial = "TEST: " if message.test and message.event != "test" else ""
    names = _names(message)
    if message.count == 1 or len(names) == 1 or message.event not in MANY:
        said = ONE[message.event].format(of=names[0] if names else "a ticket")
        more = f" ({message.count} times)" if message.count > 1 else ""
        return f"{trial}{said}{more}"
    number = len(names) if message.count <= MOST_SHOWN and names else message.count
    shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED or number > len(names) else "")
    return f"{trial}{MANY[message.event].format(n=number)}{f' ({shown})' if shown else ''}"


def link(url: str, key: str) -> str:
    """The page of a ticket, or the board; empty if it is not known where they are."""
    return f"{url}/ticket/{key}.html" if url and key else f"{url}/" if url else ""


def _names(message: Message) -> list[str]:
    """What it is about: keys, or units."""
    if message.event == "unit-failed":
        units = (notice.fields.get("unit", "") for notice in message.notices)
        return list(dict.fromkeys(text.line(unit, 100) for unit in units if unit))
    return list(message.keys)


def _told(notice: Notice, *, details: bool) -> Notice:
    """The notice as it may be told: about a ticket, without details, only that it is so."""
    if details or not notice.key or notice.event == "unit-failed":
        return notice
    kept = {name: value for name, value in notice.fields.items() if name in ("state", "round")}
    return Notice(notice.event, notice.at, notice.key, kept)


def _hidden(notice: Notice, hide: Callable[[str], str]) -> Notice:
    fields = {name: value if name in EXACT else hide(value) for name, value in notice.fields.items()}
    return replace(notice, fields=fields)


def _text(message: Message, shown: list[Notice], host: str, url: str, contacts: Mapping[str, str]) -> str:
    most = MOST_REPORT if "text" in (shown[0].fields if shown else {}) else MOST_TEXT
    parts = [headline(message) + "."]
    parts += [part for notice in shown[:MOST_LISTED] if (part := _paragraph(notice, message, url))]
    if message.count > MOST_LISTED:
        more = [key for key in message.keys if key not in {notice.key for notice in shown[:MOST_LISTED]}]
        parts.append(f"And {message.count - MOST_LISTED} more: {', '.join(more[:MOST_SHOWN])}".rstrip(": "))
    body = "\n\n".join(parts)
    cut = f"{body[:most].rstrip()}\n…" if len(body) > most else body
    return "\n\n".join([cut, *_end(message, shown, host, url, contacts)]) + "\n"


def _paragraph(notice: Notice, message: Message, url: str) -> str:
    """What is told of one event."""
    fields = notice.fields
    if "text" in fields:
        return text.lines(fields["text"], MOST_REPORT).strip("\n")
    head = notice.key or text.line(fields.get("unit", ""), 100)
    title = text.line(fields.get("title", ""), 200)
    rows = [": ".join(part for part in (head, title) if part)] if message.count > 1 or title else []
    rows += [f"  {line}" for name in _REASONS for line in _lines(fields.get(name, ""))]
    rows += [f"  {text.line(fields['work'], 200)}"] if fields.get("work") else []
    if fields.get("summary"):
        rows += ["", *(f"  {line}" for line in text.lines(fields["summary"], 4000).strip().splitlines())]
    if message.count > 1 and notice.key and url:
        rows.append(f"  {link(url, notice.key)}")
    return "\n".join(rows)


def _lines(value: str) -> list[str]:
    return [text.line(line, 600) for line in text.lines(value, 20_000).splitlines()[:40] if line.strip()]


def _end(message: Message, shown: list[Notice], host: str, url: str, contacts: Mapping[str, str]) -> Iterator[str]:
    """What to do, where to look, whom to turn to."""
    single = shown[0] if len(shown) == message.count == 1 else None
    after = NEXT.get(message.event, "")
    if after:
        unit = text.line(single.fields.get("unit", ""), 100) if single else "'pco*'"
        yield f"Next: {after.format(key=single.key if single else 'KEY', unit=unit)}"
    if url:
        yield link(url, message.keys[0] if len(message.keys) == 1 else "")
    who = [f"{name}: {value}" for name, value in contacts.items()]
    yield "\n".join([f"-- pco on {host}, {message.at:%Y-%m-%d %H:%M} UTC", *who])


assert EVENTS.keys() == ONE.keys()


def sample(event: str, now: datetime, by: str) -> Notice:
    """A made-up notice of an event, for a trial."""
    said = f"{text.line(by, 40)} tries whether messages of pco arrive.  Nothing has happened."
    about = event in MANY and event != "unit-failed"
    fields = {"title": "a ticket that does not exist", "why": said} if about else {"why": said}
    if event == "unit-failed":
        fields["unit"] = "pco-example.service"
    return Notice(event, now, "TEST-1" if about else "", fields)
