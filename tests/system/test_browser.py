"""The pages in a real browser, through the installed nginx over TLS: Debian's chromium, driven by tests/browser/look.mjs.

It looks once at a page of every kind, of a pco that looks lived in; each test judges one thing of what it saw.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from exhibited import ADDRESS, KEYS, browser, exhibited

MOST_HTML = {"/index.html": 300_000}  # bytes; of any other page
MOST_OTHER = 200_000
MOST_BESIDE = 60_000  # style, script and icon together
Seen = dict[str, Any]


@pytest.fixture(scope="module")
def seen(able: None) -> Iterator[Seen]:
    """What the browser saw."""
    modules = browser()
    with exhibited(f"b{os.getpid()}") as (host, pages):
        look = ["node", "/src/tests/browser/look.mjs", str(modules), ADDRESS, *pages]
        yield json.loads(host.exec(*look, timeout=1200).stdout)


def told(seen: Seen, what: str) -> dict[str, Any]:
    """What was seen of each page, where there is anything."""
    return {path: page[what] for path, page in seen["pages"].items() if page[what]}


def test_every_page_is_there_and_leads_to_no_page_that_is_not(seen):
    assert {page["status"] for page in seen["pages"].values()} == {200}
    assert len(seen["pages"]) == len(KEYS) + 4
    assert seen["dead"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(seen, scheme):
    assert {path: found[scheme] for path, found in told(seen, "axe").items() if found[scheme]} == {}


def test_every_page_is_valid_html(seen):
    assert told(seen, "invalid") == {}


def test_no_page_breaks_the_policy_says_anything_on_the_console_or_asks_another_site(seen):
    assert (told(seen, "refused"), told(seen, "said"), told(seen, "elsewhere")) == ({}, {}, {})
    assert seen["filter"]["said"] == []


def test_no_page_must_be_scrolled_sideways_from_320_pixels_to_a_wall(seen):
    assert told(seen, "wide") == {}


def test_the_keyboard_reaches_everything_and_shows_where_it_is(seen):
    keys = {path: page["keys"] for path, page in seen["pages"].items()}

    assert all(one["reached"] == one["wanted"] > 1 for one in keys.values()), keys
    assert not [path for path, one in keys.items() if one["ringless"]]


def test_every_page_can_be_read_without_scripts_and_has_no_dead_control(seen):
    pages = seen["pages"]

    assert "Basket total is wrong for two articles" in pages["/index.html"]["bare"]
    assert "Sessions of the last 24 hours" in pages["/index.html"]["bare"]
    assert "pco-queue approve WEB-2 --if-hash" in pages["/ticket/WEB-2.html"]["bare"]
    assert told(seen, "controls") == {}
    moving = (f"/ticket/{KEYS[kind]}.html" for kind in ("blocked", "active", "held", "outbox"))
    assert set(told(seen, "refresh")) == {"/index.html", "/lane-pending.html", *moving}


def test_the_weight_of_every_page_is_bounded(seen):
    heavy = {
        path: (page["html"], page["bytes"], page["requests"])
        for path, page in seen["pages"].items()
        if page["html"] > MOST_HTML.get(path, MOST_OTHER)
        or page["bytes"] - page["html"] > MOST_BESIDE
        or page["requests"] > 4
    }

    assert heavy == {}


def test_the_filter_finds_outlasts_a_reload_and_is_led_by_keys(seen):
    filtered = seen["filter"]

    assert filtered["all"] > 100
    assert (filtered["blocked"], filtered["reloaded"], filtered["without"]) == (1, 1, filtered["all"] - 1)
    assert filtered["status"].startswith("1 of ") and filtered["address"] == "/index.html?q=BLOCKED"
    assert (filtered["typing"], filtered["cleared"]) == ("filter", filtered["all"])


def test_a_command_is_copied_with_a_key(seen):
    assert seen["filter"]["copied"] == "pco-queue attach WEB-1"


def test_the_board_asks_again_by_itself_but_not_while_a_text_is_marked(seen):
    assert seen["renewed"] == {"marked": 0, "unfolded": True}
