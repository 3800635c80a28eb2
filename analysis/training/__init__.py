"""Data sets and fits: how a bundle is made."""
