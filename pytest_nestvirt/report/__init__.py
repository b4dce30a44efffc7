"""Consumers of results. They tell; they never judge."""
