// The truth of a memory in Neo4j. A node of it is a :Zettel with the labels of its kind (:Source, :Section, :Passage,
// :Note:Fact, :Entity:Person, :Hyperedge ...). `key` = space << 40 | number, so that a space is one range of keys;
// `id` is the 32 hex digits of identity. Edges are relationships of a closed set of types. Labels and properties that
// begin with an underscore are plumbing: they are not connected, and made again from the rest where they are derived.

CREATE CONSTRAINT graphmem_key IF NOT EXISTS FOR (n:Zettel) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT graphmem_id IF NOT EXISTS FOR (n:Zettel) REQUIRE (n.space, n.id) IS UNIQUE;

CREATE CONSTRAINT graphmem_meta IF NOT EXISTS FOR (n:_Meta) REQUIRE n.name IS UNIQUE;
CREATE CONSTRAINT graphmem_counter IF NOT EXISTS FOR (n:_Counter) REQUIRE n.space IS UNIQUE;
CREATE CONSTRAINT graphmem_name IF NOT EXISTS FOR (n:_Counter) REQUIRE n.name IS UNIQUE;

CREATE INDEX graphmem_source IF NOT EXISTS FOR (n:Source) ON (n.space, n.kind, n.outside_id);
CREATE INDEX graphmem_section IF NOT EXISTS FOR (n:Section) ON (n._source, n.ordinal);
CREATE INDEX graphmem_passage_source IF NOT EXISTS FOR (n:Passage) ON (n._source, n.ordinal);
CREATE INDEX graphmem_passage_section IF NOT EXISTS FOR (n:Passage) ON (n._section, n.ordinal);
CREATE INDEX graphmem_passage_time IF NOT EXISTS FOR (n:Passage) ON (n.space, n.at_us);
CREATE INDEX graphmem_note_time IF NOT EXISTS FOR (n:Note) ON (n.space, n.valid_from_us);
CREATE INDEX graphmem_note_subject IF NOT EXISTS FOR (n:Note) ON (n.space, n.subject);

CREATE CONSTRAINT graphmem_alias IF NOT EXISTS FOR (n:_Alias) REQUIRE (n.space, n.folded, n.entity) IS UNIQUE;
CREATE INDEX graphmem_alias_entity IF NOT EXISTS FOR (n:_Alias) ON (n.entity);
CREATE INDEX graphmem_alias_seq IF NOT EXISTS FOR (n:_Alias) ON (n.space, n.seq);
CREATE INDEX graphmem_alias_passage IF NOT EXISTS FOR (n:_Alias) ON (n.passage);

// The journal. A commit's new nodes are one range of numbers (first, nodes); body: its new edges, packed.
CREATE CONSTRAINT graphmem_commit IF NOT EXISTS FOR (n:_Commit) REQUIRE (n.space, n.seq) IS UNIQUE;
CREATE INDEX graphmem_commit_first IF NOT EXISTS FOR (n:_Commit) ON (n.space, n.first);
CREATE INDEX graphmem_commit_job IF NOT EXISTS FOR (n:_Commit) ON (n.space, n.job);
CREATE INDEX graphmem_commit_token IF NOT EXISTS FOR (n:_Commit) ON (n.token);
CREATE CONSTRAINT graphmem_change IF NOT EXISTS FOR (n:_Change) REQUIRE (n.space, n.seq, n.key) IS UNIQUE;
CREATE INDEX graphmem_change_id IF NOT EXISTS FOR (n:_Change) ON (n.space, n.id);
CREATE INDEX graphmem_change_key IF NOT EXISTS FOR (n:_Change) ON (n.key);
CREATE CONSTRAINT graphmem_edge_change IF NOT EXISTS FOR (n:_EdgeChange)
  REQUIRE (n.space, n.seq, n.src, n.type, n.dst, n.start) IS UNIQUE;
CREATE INDEX graphmem_edge_change_seq IF NOT EXISTS FOR (n:_EdgeChange) ON (n.space, n.seq);
CREATE INDEX graphmem_edge_change_src IF NOT EXISTS FOR (n:_EdgeChange) ON (n.src);
CREATE INDEX graphmem_edge_change_dst IF NOT EXISTS FOR (n:_EdgeChange) ON (n.dst);

CREATE CONSTRAINT graphmem_job IF NOT EXISTS FOR (n:_Job) REQUIRE (n.space, n.id) IS UNIQUE;
CREATE CONSTRAINT graphmem_item IF NOT EXISTS FOR (n:_Item) REQUIRE (n.space, n.job, n.item) IS UNIQUE;
CREATE INDEX graphmem_refusal IF NOT EXISTS FOR (n:_Refusal) ON (n.space, n.number);
CREATE INDEX graphmem_refusal_token IF NOT EXISTS FOR (n:_Refusal) ON (n.token);
CREATE CONSTRAINT graphmem_usage IF NOT EXISTS FOR (n:_Usage) REQUIRE n.key IS UNIQUE;
CREATE CONSTRAINT graphmem_tombstone IF NOT EXISTS FOR (n:_Tombstone) REQUIRE n.id IS UNIQUE;
