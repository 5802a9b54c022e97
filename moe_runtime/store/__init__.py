"""The folder of a packed model: a manifest, one shard of experts a layer, and the weights that stay in memory."""
