"""The migrations, each in a file of its own that is never changed once archives may have gone through it."""
