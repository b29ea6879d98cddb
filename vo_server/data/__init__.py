"""The bytes themselves: /data and /target."""
