"""One message on all its ways at once: said to be begun, run, said how it ended, each word on disk before the next."""

import json
import os
from concurrent.futures import ThreadPoolExecutor, as_completed

from pco.commands.notifying.ways import Way, Ways, environment
from pco.ground import credentials, delivered, times
from pco.ground.delivered import Delivered, Trial
from pco.ground.notice import Message
from pco.outside import hooks
from pco.outside.hooks import Outcome
from pco.rules import delivery, secrets, wording
from pco.run import Pco
from pco.spool.notices import Outgoing

AT_ONCE = 8  # ways


class Courier:
    """Delivers messages in one run.  `known` is what is known of deliveries, on disk after each message."""

    def __init__(self, pco: Pco, outgoing: Outgoing, ways: Ways, known: Delivered) -> None:
        self.known = known
        self.told = 0  # messages that have come to an end
        self.waiting = 0  # and those that are tried again
        self._pco = pco
        self._outgoing = outgoing
        self._ways = ways
        self._secrets = tuple(credentials.given(os.environ))  # of the ways; the unit has no others
        self._hung: set[str] = set()  # ways that took too long in this run: the others must not wait for them again

    def deliver(self, message: Message) -> None:
        """Try one message wherever it is due.  Raises OSError if what became of it cannot be written."""
        message = delivery.without(message, self._ways.names)
        names = delivery.awaited(message, self._ways.names - self._hung, self._pco.now())
        if names:
            message = delivery.begun(message, names, self._pco.now())
            self._outgoing.keep(message)
            for name in [name for name in names if message.ways[name].state == "given up"]:
                self._missed(message, name, message.ways[name].said)
            message = self._run(message, [name for name in names if message.ways[name].state == "waiting"])
        if message.open:
            self.waiting += 1
        else:
            self._close(message)

    def _run(self, message: Message, names: list[str]) -> Message:
        ways = [way for way in self._ways.all if way.name in names]
        if not ways:
            return message
        with ThreadPoolExecutor(min(len(ways), AT_ONCE)) as pool:
            running = {pool.submit(self._call, way, message): way for way in ways}
            for future in as_completed(running):
                way, outcome = running[future], future.result()
                message = delivery.ended(message, way.name, _trouble(outcome))
                self._outgoing.keep(message)
                self._heard(message, way.name, outcome)
                self._pco.service.pat()
        return message

    def _call(self, way: Way, message: Message) -> Outcome:
        config, host = self._pco.config, os.uname().nodename
        contacts = config.contacts.given()
        words = wording.compose(message, host, config.notify.url, contacts, details=way.details, hide=self._hide)
        within = config.notify.timeout.total_seconds()
        return hooks.run(list(way.argv), json.dumps(words).encode(), environment(message.event), within)

    def _hide(self, words: str) -> str:
        """The words without what must not be told: our own secrets, what looks like one, and what `redact` names."""
        return self._pco.hide(secrets.masked(words, self._secrets))

    def _heard(self, message: Message, name: str, outcome: Outcome) -> None:
        if outcome.hung:
            self._hung.add(name)
        if outcome.trouble:
            self._missed(message, name, _trouble(outcome))
            return
        self.known = self.known.arrived(name, self._pco.now())
        self._pco.log("info", f"{name}: {wording.headline(message)}", " ".join(message.keys[:1]))

    def _missed(self, message: Message, name: str, trouble: str) -> None:
        way, now = message.ways[name], self._pco.now()
        lost = way.state == "given up"
        self.known = self.known.missed(name, now, trouble, lost=lost and not message.test)
        head = wording.headline(message)
        if message.test:
            self._pco.log("warning", f"{name}: {trouble}; the trial has not arrived")
        elif lost:
            hint = "sudo pco-notify --test tries all ways"
            said = f"{name}: {trouble}; given up after {way.tries} tries: {head}"
            self._pco.log("error", said, hint=hint, event="undelivered")
        else:
            again = times.rough(way.next - now) if way.next else "?"
            self._pco.log("warning", f"{name}: {trouble}; tried again in {again}: {head}")

    def _close(self, message: Message) -> None:
        if message.test:
            results = {name: way.said for name, way in message.ways.items()}
            self.known = self.known.tried(Trial(message.test, message.event, self._pco.now(), results))
        self.remember()
        self._outgoing.done(message)
        self.told += 1

    def remember(self) -> None:
        """Put on disk what is known; where that cannot be it is only said: messages go before it."""
        self.known = self.known.only(self._ways.names)
        try:
            delivered.write(self._pco.config.paths.metrics, self.known)
        except OSError as error:
            self._pco.log("warning", f"what was delivered is not remembered: {error.filename}: {error.strerror}")


def _trouble(outcome: Outcome) -> str:
    """What went wrong, with the program's last words; empty if nothing did."""
    return f"{outcome.trouble}{f': {outcome.said}' if outcome.said else ''}" if outcome.trouble else ""
