"""Rows to bytes: VOTable, CSV, TSV; streamed in constant memory."""
