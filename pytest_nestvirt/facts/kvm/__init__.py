"""Facts about KVM: its device, its modules, and what modprobe is configured to load."""
