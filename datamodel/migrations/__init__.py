"""What must be done to the tables of an older archive: one file for each revision, in ``versions``.

They are run by `datamodel.upgrading`, with Alembic; ``docs/migrations.md`` says how to write one.
"""
