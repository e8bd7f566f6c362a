"""Fixtures for the tests of programs."""

from programs.launching import field, repository, stub
from programs.notifying import office

__all__ = ["field", "office", "repository", "stub"]
