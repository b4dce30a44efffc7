"""Facts from libvirt and QEMU: domains, networks, capabilities, running processes."""
