"""Writes the GraphQL schema to stdout: `python -m graphmem.api.graphql > schema/graphmem.graphql`."""

from graphmem.api.graphql.schema import sdl

print(sdl(), end="")
