"""Which experts the next layer will want, and whether reading them ahead pays."""
