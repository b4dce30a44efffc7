"""Debian's packages: fetched by a private apt, verified, and stored."""
