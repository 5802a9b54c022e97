// Provenance: from a note down to its source
// Put words of the note in place of ''. While it is empty, some notes are taken.
WITH '' AS words
MATCH path = (note:Note)-[from:FROM]->(passage:Passage)-[:PART_OF]->(part)-[:PART_OF*0..1]->(source:Source)
WHERE toLower(note.text) CONTAINS toLower(words)
RETURN path, note.text AS says, passage.text AS evidence, from.start AS start, from.end AS end, source.title AS source
ORDER BY passage.key, start
LIMIT 25
