"""What sessions spend, put into the ledger of the day as pco-watch hears of it."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from pco.commands import purse
from pco.ground import spend, times, yamlfile
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.leavings import Account
from pco.ground.ticket import Ticket
from pco.rules import budget
from pco.rules.budget import Purse
from pco.run import Pco


class Spending:
    """The ledger of today, and the limits as they are configured by now.

    `count` what was seen, then `keep`: what was kept is on disk.
    """

    def __init__(self, pco: Pco) -> None:
        self._pco = pco
        self._metrics = pco.config.paths.metrics
        self._zone = pco.config.display.zone
        self._dirty = False
        try:
            (self._metrics / spend.FOLDER).mkdir(exist_ok=True)
        except OSError as error:
            raise SystemFault(f"{error.filename}: {error.strerror}") from error
        now = pco.now()
        self._stamp = yamlfile.stamp(pco.config_path)
        self._limits = purse.filled(pco.config, 0.0, now)
        self._day, self._midnight = times.day(now, self._zone), times.midnight(now, self._zone)
        self._book = self._begun()

    @property
    def purse(self) -> Purse:
        """What may be spent, and what was."""
        return replace(self._limits, today=self._book.total, midnight=self._midnight)

    def count(self, ticket: Ticket, account: Account | None) -> None:
        """Take in what the current attempt says that it has used.  Raises SystemFault."""
        self._turn_page()
        attempt = ticket.attempt
        if account is None or attempt is None or attempt.end is not None:
            return
        name = spend.name_of(ticket.key, ticket.round.n, attempt.n)
        before = 0.0 if name in self._book.sessions else self._before(name, attempt.start)
        usd = budget.believed(ticket, account.usd, self._limits)
        seen = self._book.seeing(name, usd, before)
        self._dirty = self._dirty or seen is not self._book
        self._book = seen

    def keep(self) -> None:
        """Put on disk what is new, and announce, once a day, that the day's money is used up.  Raises SystemFault."""
        self._turn_page()
        self._heed_limits()
        if budget.day_gone(self.purse) and not self._book.told:
            self._announce()
            self._book, self._dirty = self._book.announced(), True
        self._write()

    def _heed_limits(self) -> None:
        """Limits that were changed count at once: else what pco-launch starts by the new ones would be ended here."""
        stamp = yamlfile.stamp(self._pco.config_path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._limits = purse.filled(yamlfile.load(self._pco.config_path), 0.0, self._pco.now())
        except BadConfig as error:
            self._pco.log("warning", f"{error}; the limits of before hold", hint=error.hint)

    def _write(self) -> None:
        if self._dirty:
            spend.write(self._metrics, self._day, self._book)
            self._dirty = False

    def _turn_page(self) -> None:
        """With a new day a new page is begun."""
        now = self._pco.now()
        day = times.day(now, self._zone)
        if day != self._day:
            self._write()
            self._day, self._midnight = day, times.midnight(now, self._zone)
            self._book = self._begun()

    def _begun(self) -> spend.Book:
        """What is on disk of the day; a page that cannot be read is laid aside, and another begun."""
        try:
            return spend.read(self._metrics, self._day)
        except BadData as error:
            path = spend.path(self._metrics, self._day)
            self._pco.log("warning", f"{error}; laid aside: what finished sessions cost today is forgotten")
            with suppress(OSError):
                path.rename(path.with_suffix(".bad"))
            return spend.Book()

    def _before(self, name: str, began: datetime) -> float:
        with suppress(BadData):
            return spend.before(self._metrics, self._day, name, times.day(began, self._zone))
        return 0.0

    def _announce(self) -> None:
        """At least once: who is killed before it is written down announces it again."""
        purse = self.purse
        fields = {"spent": budget.usd(purse.today), "limit": budget.usd(purse.limits.daily_usd)}
        self._pco.announce("budget reached", None, {**fields, "why": budget.day(purse)})
        self._pco.spool.control.wake("dashboard")
