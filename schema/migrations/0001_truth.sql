-- The truth of a store. A node is keyed by n = space << 40 | number, so that a space is one range of every table;
-- references (source, passage, entity, src, dst) are such keys too. Ids are the 16 bytes of their hex.
-- Times are microseconds UTC. -1 stands for no start in an edge, where NULL cannot be part of the key.

CREATE TABLE meta(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE space(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  key BLOB NOT NULL,
  seq INTEGER NOT NULL DEFAULT 0,
  next INTEGER NOT NULL DEFAULT 1,
  chain BLOB NOT NULL DEFAULT x'',
  embedder TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE node(
  n INTEGER PRIMARY KEY,
  space INTEGER NOT NULL,
  id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  version INTEGER NOT NULL,
  retired INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX node_id ON node(space, id, kind);

CREATE TABLE source(
  n INTEGER PRIMARY KEY,
  space INTEGER NOT NULL,
  kind TEXT NOT NULL,
  outside_id TEXT NOT NULL,
  title TEXT NOT NULL,
  digest TEXT NOT NULL,
  revision INTEGER NOT NULL,
  supersedes TEXT,
  meta TEXT NOT NULL
) STRICT;
CREATE INDEX source_outside ON source(space, kind, outside_id, revision);

CREATE TABLE section(
  n INTEGER PRIMARY KEY,
  source INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  at_us INTEGER,
  name TEXT NOT NULL
) STRICT;
CREATE INDEX section_source ON section(source, ordinal);

CREATE TABLE passage(
  n INTEGER PRIMARY KEY,
  space INTEGER NOT NULL,
  source INTEGER NOT NULL,
  section INTEGER,
  ordinal INTEGER NOT NULL,
  at_us INTEGER,
  tz_min INTEGER,
  start INTEGER NOT NULL,
  stop INTEGER NOT NULL,
  form INTEGER NOT NULL,
  ref TEXT,
  speaker TEXT,
  text TEXT NOT NULL,
  meta TEXT NOT NULL
) STRICT;
CREATE INDEX passage_source ON passage(source, ordinal);
CREATE INDEX passage_section ON passage(section, ordinal) WHERE section IS NOT NULL;
CREATE INDEX passage_time ON passage(space, at_us) WHERE at_us IS NOT NULL;

-- spans: u4 triples (number of the passage, start, stop), little-endian; parents: u4 numbers.
CREATE TABLE note(
  n INTEGER PRIMARY KEY,
  space INTEGER NOT NULL,
  kind TEXT NOT NULL,
  confidence_q8 INTEGER NOT NULL,
  valid_from_us INTEGER,
  valid_to_us INTEGER,
  spans BLOB NOT NULL,
  parents BLOB NOT NULL,
  text TEXT NOT NULL,
  context TEXT NOT NULL,
  keywords TEXT NOT NULL,
  tags TEXT NOT NULL,
  made_by TEXT NOT NULL,
  subject TEXT
) STRICT;
CREATE INDEX note_time ON note(space, valid_from_us, valid_to_us) WHERE valid_from_us IS NOT NULL;

CREATE INDEX note_subject ON note(space, subject) WHERE subject IS NOT NULL;

CREATE TABLE entity(
  n INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  type TEXT NOT NULL
) STRICT;

CREATE TABLE alias(
  space INTEGER NOT NULL,
  folded TEXT NOT NULL,
  entity INTEGER NOT NULL,
  passage INTEGER,
  seq INTEGER NOT NULL,
  PRIMARY KEY(space, folded, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_entity ON alias(entity);

-- members: u4 pairs (role, number of the node).
CREATE TABLE hyperedge(
  n INTEGER PRIMARY KEY,
  predicate TEXT NOT NULL,
  confidence_q8 INTEGER NOT NULL,
  valid_from_us INTEGER,
  valid_to_us INTEGER,
  members BLOB NOT NULL,
  spans BLOB NOT NULL,
  made_by TEXT NOT NULL
) STRICT;

CREATE TABLE edge(
  src INTEGER NOT NULL,
  type INTEGER NOT NULL,
  dst INTEGER NOT NULL,
  start INTEGER NOT NULL,
  stop INTEGER NOT NULL,
  weight_q8 INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY(src, type, dst, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_dst ON edge(dst, type);

-- The journal. A commit's new nodes are one range of numbers (first, nodes); body: its new edges, packed. What is
-- updated, deleted, retired or brought back has a row in change, with the old values of the fields that changed.
CREATE TABLE commit_(
  space INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  job TEXT,
  actor TEXT NOT NULL,
  cause TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  changes INTEGER NOT NULL,
  first INTEGER NOT NULL,
  nodes INTEGER NOT NULL,
  body BLOB NOT NULL,
  salt BLOB,
  commitment BLOB NOT NULL,
  chain BLOB NOT NULL,
  PRIMARY KEY(space, seq)
) STRICT;
CREATE INDEX commit_first ON commit_(space, first);
CREATE INDEX commit_job ON commit_(space, job) WHERE job IS NOT NULL;

CREATE TABLE change(
  space INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  n INTEGER NOT NULL,
  id BLOB NOT NULL,
  op TEXT NOT NULL,
  before BLOB,
  PRIMARY KEY(space, seq, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_id ON change(space, id, seq);
CREATE INDEX change_n ON change(n, seq);

CREATE TABLE edge_change(
  space INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  src INTEGER NOT NULL,
  type INTEGER NOT NULL,
  dst INTEGER NOT NULL,
  start INTEGER NOT NULL,
  op TEXT NOT NULL,
  stop INTEGER NOT NULL,
  weight_q8 INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY(space, seq, src, type, dst, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE job(
  space INTEGER NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL,
  spec TEXT NOT NULL,
  opened_us INTEGER NOT NULL,
  closed_us INTEGER,
  PRIMARY KEY(space, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE item(
  space INTEGER NOT NULL,
  job TEXT NOT NULL,
  key TEXT NOT NULL,
  state TEXT NOT NULL,
  cursor INTEGER NOT NULL,
  error TEXT NOT NULL,
  position TEXT NOT NULL,
  PRIMARY KEY(space, job, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusal(
  number INTEGER PRIMARY KEY,
  space INTEGER NOT NULL,
  job TEXT,
  step TEXT NOT NULL,
  input TEXT NOT NULL,
  reason TEXT NOT NULL,
  proposal TEXT NOT NULL
) STRICT;
CREATE INDEX refusal_space ON refusal(space, number);

CREATE TABLE usage(
  n INTEGER PRIMARY KEY,
  used INTEGER NOT NULL,
  last_us INTEGER NOT NULL
) STRICT;

CREATE TABLE tombstone(
  id TEXT PRIMARY KEY,
  space INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  actor TEXT NOT NULL,
  counts TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Derived, like all of 0002: the fixed-size part of a live node as one packed row (graphmem/stores/sqlite/heads.py).
CREATE TABLE head(
  n INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- Vectors (float16) and token codes of retired nodes, so that undo can bring them back into the searches.
CREATE TABLE shelf(
  n INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  vector BLOB,
  tokens BLOB
) STRICT;
