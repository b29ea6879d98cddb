"""How an archive is kept: backed up while it is used, restored, moved to another database, and verified."""
