// What was inferred, and from what
// Notes that organising made of other notes, strongest confidence first, with the notes they were made of.
MATCH (made:Note) WHERE EXISTS { (made)-[:DERIVED_FROM]->(:Note) }
WITH made ORDER BY made.confidence_q8 DESC, made.key LIMIT 10
MATCH path = (made)-[:DERIVED_FROM]->(of:Note)
RETURN path, made.kind AS kind, made.text AS says, of.text AS `made of`
