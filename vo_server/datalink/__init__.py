"""DataLink 1.1: what belongs to a dataset."""
