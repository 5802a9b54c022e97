// Derived: what searching reads, made again from the truth by a rebuild. Vector indexes are made by the store when the
// first vectors tell their dimension (graphmem/stores/neo4j/vectors.py).

// `_terms`: keyed hashes of the analysed terms, different in each space, so that a search by them meets no other space
// and no word of a passage stands in the index.
CREATE FULLTEXT INDEX graphmem_words IF NOT EXISTS FOR (n:Passage) ON EACH [n._terms]
  OPTIONS {indexConfig: {`fulltext.analyzer`: 'whitespace', `fulltext.eventually_consistent`: false}};

// In how many passages a term stands: packed by the term's first bits.
CREATE CONSTRAINT graphmem_terms IF NOT EXISTS FOR (n:_Terms) REQUIRE (n.space, n.bucket) IS UNIQUE;
