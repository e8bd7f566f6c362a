"""Snapshots become HTML here; nothing is read or written."""
