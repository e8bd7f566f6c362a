"""Posts and polls through a bad network, as many as there is time for in CI; `make faults` has more.

The harness proves itself: each bug, put into a copy of pco, is found.
"""

from pathlib import Path

import pytest

from faults.seeded import seeded, tried

NETWORK = Path(__file__).with_name("network.py")
LOOK = "if (post.sending_since or ticket.restored) and (known := look(run, ticket)):"
SENT = "run.write.comment(ticket.project, ticket.uuid, post.body, post.external_id)"
MAY = "if why := workflow.obstacle(now, ticket.round.trigger.state):"
LOOKED = "    for item in walk.moved:\n        visit.look(item)\n"
KNOWN = "visit.remember(visit.lists.sight(item), visit.key_of(item, visit.known.get(item.id)))"
JUDGED = "    for item in walk.moved:\n        visit.look(item)\n        _raise"
VANISH = "        visit.run.settle(tickets[uuid].key, lambda t: effects.vanish(t, visit.run.pco.now()))\n"
POSTS, POLLS = ("--posts", "40", "--changes", "0"), ("--posts", "0", "--changes", "100")
BUGS = {
    "sent again without a look": ("commands/post.py", LOOK, "if False and (known := look(run, ticket)):", "doubled: "),
    "another id each time": (
        "commands/post.py",
        SENT,
        'run.write.comment(ticket.project, ticket.uuid, post.body, f"{post.external_id}{time.monotonic_ns()}")',
        "doubled: ",
    ),
    "a closed item is moved": ("commands/itemstate.py", MAY, 'if why := "":', "not in Done"),
    "known before it is judged": (
        "commands/polling/walk.py",
        LOOKED,
        LOOKED.replace("        visit.look", f"        {KNOWN}\n        visit.look"),
        "lost: ",
    ),
    "the watermark raised before the walk is whole": (
        "commands/polling/walk.py",
        JUDGED,
        JUDGED.replace("    for", "    _raise_watermark(visit, walk.top or BEGINNING)\n    for"),
        "lost: ",
    ),
    "what is gone stays": ("commands/polling/sweep.py", VANISH, "        pass\n", "though its item is gone"),
}


@pytest.mark.timeout(600)
def test_three_of_five_requests_go_wrong_and_each_comment_is_in_plane_once_and_no_change_passed_over() -> None:
    done = tried(NETWORK, "--posts", "500", "--changes", "100")

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(bug: str, tmp_path: Path) -> None:
    file, old, new, said = BUGS[bug]
    lib = seeded(tmp_path, (file, old, new))

    done = tried(NETWORK, *(POLLS if "polling" in file else POSTS), lib=lib)

    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout, done.stdout + done.stderr
