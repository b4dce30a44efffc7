"""From a machine to its snapshot: the probe that is sent, the frames that come back, the tree that is kept."""
