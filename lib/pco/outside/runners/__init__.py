"""Engines that run sessions, five verbs each: `start`, `stop`, `alive`, `attach`, `list`."""
