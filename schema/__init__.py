"""Rows and files of results: SQLite and HDF5."""
