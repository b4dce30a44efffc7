"""Ways to a machine: SSH through any number of hops, this machine itself, a recording."""
