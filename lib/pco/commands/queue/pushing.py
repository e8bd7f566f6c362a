"""push: have a ticket's branch pushed.  pco-push does it: people hold no credential."""

from pco.commands.queue import verb
from pco.commands.queue.change import Refused, each, read
from pco.commands.queue.select import named
from pco.ground.ticket import State
from pco.rules import pushing
from pco.run import Pco


@verb.verb
@verb.keys(State.COMPLETED, State.FAILED)
def push(pco: Pco, keys: tuple[str, ...]) -> None:
    """Have a ticket's branch pushed, though it was refused before, or is not its turn yet.

    pco-push does it, for only it holds a credential.  Branches of completed tickets are pushed by themselves where the
    project says `push: true`; this is for those of failed ones, too.

    \b
    Examples:
      pco-queue push WEB-12
    """
    from click import UsageError

    if not keys:
        raise UsageError("Name a ticket by its key, such as WEB-12.")
    each(pco, named(keys), lambda key: _push(pco, key))
    pco.spool.control.wake("push")


def _push(pco: Pco, key: str) -> None:
    ticket = read(pco, key)
    project = pco.config.project(ticket.project)
    if project is None or not project.push:
        raise Refused("its project does not have its branches pushed", "plane.projects: push; see pco-push(1)")
    branch = pushing.branch(ticket, project)
    if branch is None:
        raise Refused("has no commits")
    pco.spool.control.ask_push(key, pco.who, pco.now())
    pco.announce("push asked", ticket)
    pco.say(f"{key}: pco-push is asked to push {branch.name}")
