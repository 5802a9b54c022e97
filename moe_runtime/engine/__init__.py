"""The model runs, its experts come from the store."""
