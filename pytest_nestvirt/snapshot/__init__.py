"""What was read from one host: kept, packed, and read again."""
