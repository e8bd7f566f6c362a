"""The fixtures `yard` and `watch` for tests of sessions."""

from sessions import watch, yard

__all__ = ["watch", "yard"]
