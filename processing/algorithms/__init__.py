"""What a recipe's ``make`` calls: arrays in, arrays out; no database, no paths, no look-ups."""
