"""The labs: which machines they have, how they are emulated, and the verdicts expected of them."""
