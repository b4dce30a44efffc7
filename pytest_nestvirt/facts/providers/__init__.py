"""Facts from other providers' hypervisors: vSphere and Proxmox."""
