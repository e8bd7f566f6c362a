"""Fixtures: a pco whose agent is the real Claude Code, and a stand-in of the model's API."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from claude.agents import Desk
from pco.sim.model import Model


@pytest.fixture
def model() -> Iterator[Model]:
    """A model that says nothing of interest until a test gives it rules."""
    with Model() as serving:
        yield serving


@pytest.fixture
def desk(tmp_path: Path, model: Model) -> Iterator[Callable[..., Desk]]:
    """Makes a pco; keywords go into the section claude."""
    made: list[Desk] = []

    def make(**claude: Any) -> Desk:
        made.append(Desk.of(tmp_path / "pco", model, claude))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A pco that the tests of a module share, with a project for each way."""
    with Model() as model, closing(Desk.of(tmp_path_factory.mktemp("both") / "pco", model, {})) as made:
        made.two_ways()
        yield made
