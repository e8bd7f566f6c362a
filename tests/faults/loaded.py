"""Imported by a process that is to be forked: all of pco is loaded."""

from faults import forked

forked.load()
