"""VirtRigaud's nested virtualization support."""
