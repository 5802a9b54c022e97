-- Derived rows: what searching and spreading read. Written in the transaction of the truth, rebuilt from it by one command.
-- Blobs are little-endian arrays that numpy reads as they are, their formats are in graphmem/stores/sqlite/{postings,codes,adjacency}.py.
-- A node of a space is keyed by space << 40 | number. Tables of large rows have rowids: without them, SQLite copies the
-- whole row for every comparison of a seek (18 instead of 2 microseconds).

-- Text: one row a space with its statistics and the newest postings, then runs of packed postings (a log-structured merge).
CREATE TABLE text_space(
  space INTEGER PRIMARY KEY,
  docs INTEGER NOT NULL,
  length INTEGER NOT NULL,
  next_run INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE text_run(
  space INTEGER NOT NULL,
  run INTEGER NOT NULL,
  level INTEGER NOT NULL,
  postings INTEGER NOT NULL,
  target INTEGER,
  PRIMARY KEY(space, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE text_posting(
  space INTEGER NOT NULL,
  run INTEGER NOT NULL,
  first BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY(space, run, first)
) STRICT;

-- Vectors: float16 rows (a truth of their own: not journaled, not in the digest), and their sign bits in blocks for scanning.
CREATE TABLE vector(
  node INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE vector_code(
  space INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  block INTEGER NOT NULL,
  stamp INTEGER NOT NULL,
  held INTEGER NOT NULL,
  low INTEGER NOT NULL,
  high INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY(space, kind, block)
) STRICT;

CREATE INDEX vector_stamp ON vector_code(space, kind, block, stamp);

-- Sign bits of a passage's token vectors, for late interaction.
CREATE TABLE token_code(
  node INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- Edges at both their ends: the newest in one open chunk a node, older ones of a hub sealed by type and direction.
CREATE TABLE adjacency(
  node INTEGER PRIMARY KEY,
  sealed BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE adjacency_sealed(
  node INTEGER NOT NULL,
  type INTEGER NOT NULL,
  direction INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY(node, type, direction, chunk)
) STRICT;
