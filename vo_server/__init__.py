"""How the VO sees the archive: HTTP, ADQL, formats, the command line and the prompt."""

__version__ = "0.1.0"
