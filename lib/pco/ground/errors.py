"""What can go wrong, sorted by what the caller should do about it (sysexits.h).

Everything below `commands/` raises one of these and never prints; the program says it once and exits with `exit`.
A bug is not one of these: it keeps its traceback.
"""


class PcoError(Exception):
    """A foreseeable failure.  `hint` tells a person how to mend it, `exit` is the program's exit code."""

    exit = 71

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BadData(PcoError):
    """What was given or read is wrong; trying again will not help."""

    exit = 65


class Unavailable(PcoError):
    """Something that must be installed or running is not there."""

    exit = 69


class SystemFault(PcoError):
    """The machine refused: disk full, permission, I/O error.  Nothing is acknowledged."""

    exit = 71


class TryLater(PcoError):
    """It may work the next time: a lock was held, the network or Plane did not answer."""

    exit = 75


class NotPermitted(PcoError):
    """The caller, or the token, may not do this."""

    exit = 77


class BadConfig(PcoError):
    """The configuration or the layout of the installation is wrong; a restart will not help."""

    exit = 78
