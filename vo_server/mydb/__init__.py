"""Tables of a user's own over TAP: made, filled, indexed, saved from jobs and removed."""
