"""TAP 1.1: the Table Access Protocol."""
