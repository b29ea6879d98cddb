"""The ground floor: what is kept. Columns, persistent objects, queries, context, sky, bytes, provenance."""
