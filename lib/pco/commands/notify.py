"""Tell people of what happens: by mail, a webhook as Slack has them, ntfy, and by programs of your own.

Other programs leave a notice in notify/ of the spool, and wake this one.  It tells of

    blocked           an agent waits for a person
    completed         a session has handed over a summary, which a person should read
    failed            a ticket has failed, and a person decides
    posted            a comment is in Plane
    held-back         pco itself put a ticket on hold
    unit-failed       a unit of pco has failed
    health-degraded   pco is no longer well for a minute, or not well for one more reason
    health-recovered  pco is well again
    budget-reached    the day's money is used up
    push-refused      the branch of a ticket was refused where it was to be pushed
    short-of-room     a disk or the memory has too little room for sessions
    room-again        they have room again
    backup-failed     a backup was not made
    daily-digest, weekly-report

The section notify of pco.yaml switches ways on: mail, webhook, ntfy.  Programs of your own are the executable files
/etc/pco/hooks.d/EVENT/*, and hooks.d/all/* for every event.  They run as user pco in the sandbox of pco-notify.service,
so they, what a link leads to, and all folders above must belong to root, and nobody else may be able to write there;
others are refused, and it is said.  Each gets one JSON object on its standard input:

    schema    1
    id        of the message: the same when it is tried again
    event, at, host, test (true for a trial)
    priority  high, default or low
    count     how many events it tells of, keys (of their tickets), notices (the first 50, with their fields)
    headline  one line, nothing in it that strangers wrote
    subject   the same with the ticket's title
    text      what people read
    url       the page of the ticket, or the board; empty if notify.url is
    contacts  as configured

and an environment of PATH, HOME, LANG, PCO_EVENT, CREDENTIALS_DIRECTORY and proxies (HTTPS_PROXY, ...) only.  After
notify.timeout (30 seconds) it is killed with its process group; whatever still lives goes when the unit ends.  Exit 0
is: it has arrived.  Texts are cleaned of control characters, but a program that passes them on must quote them as its
own format asks.

What redact in pco.yaml names is hidden in titles, summaries, reasons and reports, so in subject and text, too; never in
what a program goes by: id, event, at, host, headline, keys, url, contacts, and of the fields of a notice state, round,
outcome, unit, branch and url.

A storm becomes one message: the first event of its kind goes out at once, those of the next five minutes
(notify.throttle) together.  A way that fails keeps no other from being told.  It is tried again after 1, 5, 15 and 40
minutes, then given up: that is an error in the journal, and health degrades until a message arrives there again.

Each message is delivered at least once on each way, or tried five times: if this program is killed after a message went
out and before that is on disk, it goes out once more.  A program that must know has its id.  An event of which a
program was killed between the move and its notice is not told of; the board and the daily digest show it.
"""

import click

from pco.command import command
from pco.commands.notifying import gathering
from pco.commands.notifying.delivering import Courier
from pco.commands.notifying.ways import Ways
from pco.ground import delivered, text
from pco.ground.delivered import Delivered
from pco.ground.errors import BadData
from pco.run import Pco, alone
from pco.spool.notices import Outgoing


@command
@click.option("--test", "test", is_flag=False, flag_value="test", metavar="[EVENT]", help="Send a message on all ways.")
@click.option("--list", "list_", is_flag=True, help="Show ways, programs, and what waits; send nothing.")
def main(pco: Pco, test: str | None, list_: bool) -> None:
    """Tell people of what happened; once, of all that waits.

    \b
    Examples:
      sudo pco-notify --test             does a message arrive on each way?
      pco-notify --test unit-failed      the same as a message of that event
      pco-notify --list                  who is told of what, and what waits
      journalctl -u pco-notify -n 50     what was told, and what was not
    """
    if list_:
        from pco.commands.notifying import listing

        listing.show(pco)
    elif test is not None:
        from pco.commands.notifying import trying

        trying.attempt(pco, test)
    else:
        work(pco)


def work(pco: Pco) -> None:
    """Take what waits, and deliver what is due."""
    with alone(pco, "notify"):
        pco.spool.control.awake("notify")
        ways = Ways(pco)
        outgoing = Outgoing(pco.config.paths.spool, lambda said: pco.log("warning", said))
        outgoing.sweep()
        courier = Courier(pco, outgoing, ways, remembered(pco))
        courier.known = gathering.gather(pco, outgoing, ways, courier.known)
        for refused in ways.refused:
            pco.log("warning", f"hooks.d/{refused.name} is not run: {refused.why}")
        courier.remember()
        for message in outgoing.messages():
            courier.deliver(message)
            pco.service.pat()
        courier.remember()
        left = f", {courier.waiting} to be tried again" if courier.waiting else ""
        pco.conclude(f"{text.count(courier.told, 'message')} delivered{left}", worth=courier.told > 0)


def remembered(pco: Pco) -> Delivered:
    """What is known of earlier deliveries; what cannot be read is begun anew."""
    try:
        return delivered.read(pco.config.paths.metrics)
    except BadData as error:
        pco.log("warning", f"{error}; begun anew")
        return Delivered()
