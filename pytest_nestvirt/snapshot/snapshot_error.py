"""What keeping and reading snapshots ends in where it does not succeed."""

from __future__ import annotations


class SnapshotError(Exception):
    """A snapshot cannot be kept or read: one line that says which and why."""
