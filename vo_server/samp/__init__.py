"""SAMP 1.3: results handed to desktop tools."""
