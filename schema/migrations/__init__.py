"""The steps from one schema to the next; each carries its own frozen tables."""
