"""One module per released schema, named by its number."""
