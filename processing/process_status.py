"""The bits of ``process_status``: what was done with a product, by recipes, by the system and by people."""

MADE, VERIFIED, COMPARED, INSPECTED = 1, 2, 4, 8
