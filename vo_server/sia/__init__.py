"""SIA 2.0: Simple Image Access, version 2."""
