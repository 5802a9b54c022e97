"""Stores: the protocol and its implementations."""
