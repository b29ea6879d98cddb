"""A simulated wide-field camera looking at a real sky; for the demo and the tests only."""
