// Memory at a glance
// Notes, the passages they stand in, and what they are about.
MATCH (note:Note)-[from:FROM]->(passage:Passage)
WHERE note.retired IS NULL
OPTIONAL MATCH (note)-[about:ABOUT]->(entity:Entity)
RETURN note, from, passage, about, entity
LIMIT 25
