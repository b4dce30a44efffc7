"""The stoney cloud's page on nested virtualization."""
