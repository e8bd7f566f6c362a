"""The purse as configuration and ledger say: what `rules.budget` judges by."""

from datetime import datetime

from pco.ground import spend, times
from pco.ground.config import Config
from pco.ground.errors import BadData
from pco.rules.budget import Purse
from pco.run import Pco


def read(pco: Pco) -> Purse:
    """The purse as it is now.  Raises BadData, SystemFault: with a day that cannot be read, nothing may be spent."""
    now = pco.now()
    try:
        book = spend.read(pco.config.paths.metrics, times.day(now, pco.config.display.zone))
    except BadData as error:
        raise BadData(f"what was spent today is not known: {error}", "restart pco-watch: it begins anew") from error
    return filled(pco.config, book.total, now)


def filled(config: Config, today: float, now: datetime) -> Purse:
    """The purse of a day on which `today` USD were spent."""
    projects = config.plane.projects
    models = {project.id: config.claude_of(project) for project in projects if config.agent == "claude"}
    return Purse(
        limits=config.budget,
        today=today,
        midnight=times.midnight(now, config.display.zone),
        tickets={project.id: project.ticket_usd for project in projects if project.ticket_usd is not None},
        sessions={id: model.max_budget_usd for id, model in models.items() if model.mode == "interactive"},
    )
