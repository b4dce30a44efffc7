"""The inventory file, validated as a whole before anything connects."""
