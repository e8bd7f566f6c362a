"""Many sessions of the real CLI at once."""

import pytest

from claude import memory
from claude.agents import Desk
from pco.ground.ticket import State
from pco.sim.model import Model
from support import a_ticket

PATIENCE = 300.0
OVERHEAD = 20 * memory.MIB  # of pco, for each session


@pytest.fixture(scope="module")
def pco(tmp_path_factory):
    """A pco whose sessions begin slowly, for all begin together."""
    with Model() as model:
        desk = Desk.of(tmp_path_factory.mktemp("many") / "pco", model, {})
        desk.site.configure(sessions={"start_within": "5m"})
        desk.watch_anew()
        yield desk
        desk.close()


@pytest.mark.timeout(600)
def test_as_many_sessions_as_fit_are_idle_together_cost_little_and_all_complete(pco):
    count, why = memory.room()
    print(why)
    spool = pco.site.spool()
    keys = [f"LOCAL-{n}" for n in range(1, count + 1)]
    spool.create_all([a_ticket(key, local=True) for key in keys])
    pco.site.run("pco-queue", "approve", "--yes", *keys)

    pco.launch(*keys)
    for key in keys:
        pco.until(key, lambda key=key: "turn_ended" in pco.kinds(key), "at rest", PATIENCE)
    assert all(spool.find(key) is State.ACTIVE for key in keys)
    agents = [pco.pid(key) for key in keys]
    wrappers = [memory.parent(agent) for agent in agents]
    shared = int(pco.tmux("display-message", "-p", "#{pid}"))
    sizes = [memory.pss(wrapper) + memory.pss(shared) // count for wrapper in wrappers]
    print(f"of pco, for each: {max(sizes) / memory.MIB:.1f} MiB; claude: {memory.pss(agents[0]) / memory.MIB:.1f} MiB")
    for key in keys:
        pco.type(key, f"/complete {key} is done.")

    tickets = [pco.comes_to(key, State.COMPLETED, seconds=PATIENCE) for key in keys]
    assert [ticket.round.summary for ticket in tickets] == [f"{key} is done." for key in keys]
    assert [len(ticket.round.attempts) for ticket in tickets] == [1] * count
    assert max(sizes) <= OVERHEAD
