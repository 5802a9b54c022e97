"""Governing a memory as a whole: copying it from store to store."""
