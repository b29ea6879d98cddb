"""How things come to be: targets, selection, reasons, plans, recipes, ingest, instruments, simulator."""
