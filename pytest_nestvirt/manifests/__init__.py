"""VirtRigaud's manifest objects: read, validated, and resolved against each other."""
