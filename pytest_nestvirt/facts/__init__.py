"""Typed values parsed from a snapshot. Unknown is a value of its own: `Unobservable`."""
