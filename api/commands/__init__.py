"""Command-line commands, one module a group."""
