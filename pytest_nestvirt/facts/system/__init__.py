"""Facts about the operating system: release, packages, services, users."""
