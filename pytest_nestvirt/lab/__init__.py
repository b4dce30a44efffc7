"""Real hosts without hardware: emulated machines with real kernels, from Debian's signed packages."""
