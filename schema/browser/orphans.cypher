// Orphans: notes that nothing leads to but their own passage
MATCH path = (note:Note)-[:FROM]->(passage:Passage)
WHERE note.retired IS NULL AND COUNT { (note)--() } = COUNT { (note)-[:FROM]->() }
  AND NOT EXISTS { (passage)-[:MENTIONS]->() }
RETURN path
LIMIT 50
