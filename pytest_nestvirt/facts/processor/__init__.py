"""Facts about processors: vendor, flags, capability for nesting, POWER generation, role under Xen."""
