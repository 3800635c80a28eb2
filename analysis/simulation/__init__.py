"""Simulated micrographs with exact truth: atoms, multislice, optics, detector."""
