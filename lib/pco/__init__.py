"""pco: tickets of a Plane workspace become supervised agent sessions, under human control."""

__version__ = "0.1.0"
