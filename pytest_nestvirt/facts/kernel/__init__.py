"""Facts from the kernel of a machine: version, processors as it lists them, memory, modules, its log."""
