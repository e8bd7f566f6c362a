"""Fixtures for the tests of programs."""

from programs.launching import field, repository, stub

__all__ = ["field", "repository", "stub"]
