"""A real Neo4j for tests: found, or started from Maven's jars, or by Docker. Nothing of it is ever shipped."""
