// Neighbourhood of a note
// Put words of the note in place of ''. While it is empty, the note that is about most is taken.
WITH '' AS words
MATCH (note:Note)
WHERE toLower(note.text) CONTAINS toLower(words)
WITH note ORDER BY COUNT { (note)-[:ABOUT]->() } DESC, note.key LIMIT 1
MATCH path = (note)-[:FROM|ABOUT|DERIVED_FROM|SIMILAR|ELABORATES|CONTRADICTS|CAUSES|FOLLOWS|SUPERSEDES]-(near)
OPTIONAL MATCH more = (near)-[:SPEAKER|MENTIONS|PART_OF|ABOUT]-(further)
WHERE NOT further:Note
RETURN path, more
LIMIT 40
