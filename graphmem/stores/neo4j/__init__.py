"""The store on a Neo4j server: a graph that people can look at, searched by the server's indexes."""

from graphmem.stores.neo4j.store import Neo4jStore

__all__ = ["Neo4jStore"]
