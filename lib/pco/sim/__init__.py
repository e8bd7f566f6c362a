"""A Plane server for the demo and the tests: it answers like the real one, quirks included, and fails on request.

No other part of pco imports this, and it imports no other part.  By itself: `python -m pco.sim --help`; in a test:

    with pco.sim.running(seed, scale=0.01, rate=0) as sim:
        client = Plane(sim.url, sim.token, sim.slug)
        maria = sim.person("maria", "WEB")
        maria.comment("WEB-1", "<p>please hurry</p>")
        sim.faults({"kind": "lost_after", "method": "POST", "path": "/comments/", "count": 1})

A workspace to start with (the seed) is a JSON object; every key but the names may be left out:

    {"workspace": "acme",                            slug, or {slug, name, id}
     "users": [{"name": "bot",                       what the rest of the seed calls the user
                "role": "member",                    admin | member | guest | outsider (of the workspace)
                "token": "plane_api_bot",            default plane_api_NAME
                "tokens": [{"token": "T", "rate": 300, "service": true, "expired": true, "inactive": true}],
                "id": UUID, "display_name": "pco", "first_name": "Pco", "last_name": "Bot",
                "email": "bot@example.com", "timezone": "UTC"}],
     "projects": [{"identifier": "WEB", "name": "Web App", "id": UUID, "description": "", "public": true,
                   "archived": false,
                   "members": ["bot", "maria"],      or {"bot": "member"}; default: all users but outsiders
                   "states": ["Backlog", {"name": "Review", "group": "started", "color": "#123456",
                              "default": false}],    default: Plane's Backlog Todo "In Progress" Done Cancelled
                   "labels": ["bug", {"name": "docs", "color": "#0000ff"}],
                   "items": [{"name": "Fix the cache", "description_html": "<p>...</p>", "state": "Todo",
                              "labels": ["bug"], "priority": "high", "assignees": ["bot"], "by": "maria",
                              "comments": [{"by": "maria", "html": "<p>...</p>", "created_at": ISO, "id": UUID,
                                            "external_id": "x", "external_source": "y"}],
                              "links": ["https://example.com/"], "id": UUID, "sequence_id": 1,
                              "created_at": ISO, "updated_at": ISO, "start_date": DATE, "target_date": DATE,
                              "parent": UUID, "archived": false, "draft": false,
                              "external_id": "x", "external_source": "y"}]}]}

Ids that are not given are derived from the names, so the same seed gives the same ids.  Without users there are
bot (member), ada (admin), jonas (member), gus (guest, in Kolkata) and olga (outsider), with tokens plane_api_NAME,
for bot also plane_api_service, plane_api_expired and plane_api_inactive; without projects there is WEB.
Fault switches: pco.sim.faults.  The endpoints under /_sim/: pco.sim.control.
"""

from pco.sim.person import NotDone, Person
from pco.sim.remote import Remote
from pco.sim.running import Sim, running
from pco.sim.seed import BadSeed
from pco.sim.store import Busy

__all__ = ["BadSeed", "Busy", "NotDone", "Person", "Remote", "Sim", "running"]
