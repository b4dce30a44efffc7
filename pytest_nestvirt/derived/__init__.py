"""Questions across machines and sources: what several facts, or several machines, answer together."""
