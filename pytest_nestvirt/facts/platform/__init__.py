"""Facts about what a machine runs on: hardware, a hypervisor, a container, an LPAR."""
