"""The comment that a summary would become now: the same for all who show it, and for who accepts it."""

from functools import lru_cache
from pathlib import Path

from pco.ground import durable
from pco.ground.errors import BadConfig, BadData
from pco.ground.ticket import Ticket
from pco.outside.www import signature
from pco.rules import comment
from pco.rules.form import MOST_BYTES, Form
from pco.run import Pco, share


def form(pco: Pco) -> Form:
    """The form that the configuration names, else the installed one.  Raises BadConfig."""
    path = pco.config.post.template or share("comment.md")
    return _form(path, signature(path, path.resolve()))


@lru_cache(maxsize=1)
def _form(path: Path, _seal: str) -> Form:
    """The form in a file, read once as long as its seal is the same: hundreds of comments may ask for it."""
    try:
        return Form(f"post.template: {path}", durable.read(path.resolve(), MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise BadConfig(f"post.template: {path}: {error.strerror}") from error
    except (BadData, UnicodeDecodeError) as error:
        raise BadConfig(f"post.template: {path}: {error}") from error


def trouble(pco: Pco) -> str:
    """What is wrong with the form, file and line; empty if nothing is."""
    try:
        comment.check(form(pco))
    except BadConfig as error:
        return str(error)
    return ""


def body(pco: Pco, ticket: Ticket, summary: str, accepted_by: str = "") -> str:
    """The HTML of the comment.  Raises BadData if the summary says nothing, BadConfig if the form is wrong."""
    return comment.body(form(pco), ticket, summary, pco.config.project(ticket.project), accepted_by, pco.hide)


def proposed(pco: Pco, ticket: Ticket) -> str:
    """The comment for somebody who only looks: empty where the summary says nothing, or the form is wrong."""
    try:
        return body(pco, ticket, ticket.round.summary)
    except (BadData, BadConfig):
        return ""
