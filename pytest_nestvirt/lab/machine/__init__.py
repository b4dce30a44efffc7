"""A running lab machine: its emulator, console, ports, and saved state."""
