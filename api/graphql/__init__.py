"""The GraphQL face of a memory: types that mirror graphmem.schema, resolvers, limits."""
