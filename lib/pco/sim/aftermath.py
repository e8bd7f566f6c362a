"""What the server's worker does some time after a write was answered: bump `updated_at`, write activities."""

import random
from typing import Any

from pco.sim import rows
from pco.sim.answers import Row
from pco.sim.call import Call

# Seconds after the reply, as seen on the real server: mostly soon, now and then some seconds late.
SOONEST, LATEST = 0.04, 2.5

TRACKED = (
    "state",
    "name",
    "description_html",
    "priority",
    "parent",
    "start_date",
    "target_date",
    "labels",
    "assignees",
)


def delay(call: Call) -> float:
    """Return how late the worker comes; the same seed and number of requests give the same delay."""
    roll = random.Random(f"{call.world.settings.seed}/{call.store.versions['items', '']}/{len(call.world.log)}")
    return SOONEST + (LATEST - SOONEST) * roll.random() ** 3


def follow(call: Call, item: str, *activities: Row) -> None:
    """Plan what follows a write to an item: its bump and the activities, which only then get their times."""
    if not call.worker:
        return
    world, store, user = call.world, call.store, call.user["id"]
    epoch = float(int(world.clock.seconds()))

    def work() -> None:
        with store.lock:
            row = store.tables["items"].get(item)
            if row is None:
                return
            for given in activities:
                common = rows.base(row["workspace"], world.clock.stamp(), user)
                store.put(
                    "activities",
                    rows.activity(
                        common, {"project": row["project"], "issue": item, "actor": user, "epoch": epoch, **given}
                    ),
                )
            store.put("items", {**row, "updated_at": world.clock.stamp()})

    world.jobs.later(delay(call), work)


def crawl(call: Call, link: str) -> None:
    """Plan what the worker does to a new link: it looks at the page, and forgets who made the link."""
    store, stamp = call.store, call.world.clock.stamp

    def work() -> None:
        with store.lock:
            row = store.tables["links"][link]
            seen = {
                "url": row["url"],
                "title": None,
                "favicon": "data:image/svg+xml;base64,PHN2Zy8+",
                "favicon_url": None,
            }
            store.put("links", {**row, "metadata": seen, "created_by": None, "updated_by": None, "updated_at": stamp()})

    if call.worker:
        call.world.jobs.later(delay(call), work)


def created() -> Row:
    """Return the activity of a new item."""
    return {"verb": "created", "comment": "created the issue"}


def linked(verb: str, url: str) -> Row:
    """Return the activity of a link that was made, changed or taken away."""
    old, new = (url, "") if verb == "deleted" else (None, url)
    return {
        "verb": verb,
        "field": "link",
        "old_value": old,
        "new_value": new,
        "comment": f"{verb} {'a' if verb == 'created' else 'the'} link",
    }


def changes(call: Call, before: Row, after: Row) -> list[Row]:
    """Return the activities of an edit: one for each field that changed, for lists one for each entry."""
    found: list[Row] = []
    for name in TRACKED:
        if before[name] == after[name]:
            continue
        if name in ("labels", "assignees"):
            found += entries(call, name, before[name], after[name])
        else:
            field = {"description_html": "description"}.get(name, name)
            found.append(
                {
                    "verb": "updated",
                    "field": field,
                    "comment": f"updated the {field} to",
                    **values(call, name, before[name], after[name]),
                }
            )
    return found


def entries(call: Call, name: str, before: list[str], after: list[str]) -> list[Row]:
    """Return an activity for each label or assignee that came or went."""
    return [
        {"verb": "updated", "field": name, "comment": f"updated the {name}", **values(call, name, old, new)}
        for old, new in [(each, None) for each in before if each not in after]
        + [(None, each) for each in after if each not in before]
    ]


def values(call: Call, name: str, old: Any, new: Any) -> Row:
    """Return old and new by name, and by UUID where the field points to something."""
    table = {"state": "states", "labels": "labels", "assignees": "users", "parent": "items"}.get(name)
    if table is None:
        return {"old_value": old, "new_value": new}

    def called(identity: str | None) -> str | None:
        row = call.store.tables[table].get(identity or "")
        return None if row is None else row.get("display_name") or row["name"]

    return {"old_value": called(old), "new_value": called(new), "old_identifier": old, "new_identifier": new}
