"""The frame that every fact is read in: values, their sources, and what cannot be observed."""
