"""The statements of the source documents: what they ask, of whom, how strongly."""
