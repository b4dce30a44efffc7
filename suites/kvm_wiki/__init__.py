"""The KVM project's wiki."""
