"""A process that dies at its n-th call of the system, for tests of what is left behind then."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

CALLS = ("open", "write", "fchmod", "fsync", "rename", "replace", "link", "unlink", "mkdir")


class Died(BaseException):
    """It is dead; nothing of it runs any more, no cleaning up either."""


@contextmanager
def dying(at: int) -> Iterator[None]:
    """Let the system refuse everything from the call number `at` on; swallows the death."""
    left = [at]

    def deadly(name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Died(name)
            return real(*args, **more)

        return call

    with mock.patch.multiple(os, **{name: deadly(name) for name in CALLS}):
        try:
            yield
        except Died:
            pass
