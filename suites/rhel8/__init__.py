"""Red Hat Enterprise Linux 8, chapter 18."""
