"""ADQL: text to tokens to a tree with positions, resolved with types, emitted as SQLAlchemy Core."""
