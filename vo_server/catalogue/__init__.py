"""``vo-server catalogue``: tables that people bring, from a file to a name that can be queried."""
