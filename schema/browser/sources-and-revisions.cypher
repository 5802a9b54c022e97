// Sources, their revisions, and how much of each is in use
MATCH (source:Source)
RETURN source.title AS title, source.kind AS kind, source.outside_id AS outside_id, source.revision AS revision,
       COUNT { (source)<-[:PART_OF]-(p:Passage) WHERE p.retired IS NULL } AS passages,
       COUNT { (source)<-[:PART_OF]-(p:Passage) WHERE p.retired IS NOT NULL } AS superseded
ORDER BY kind, title, revision
LIMIT 200
