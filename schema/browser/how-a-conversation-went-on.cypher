// How a conversation went on
// Put words of a passage in place of ''. While it is empty, some passage is taken.
WITH '' AS words
MATCH (passage:Passage)-[:NEXT]->()
WHERE toLower(passage.text) CONTAINS toLower(words)
WITH passage ORDER BY passage.key LIMIT 1
MATCH path = (passage)-[:NEXT*0..8]->(later:Passage)
OPTIONAL MATCH said = (later)-[:SPEAKER]->()
RETURN path, said
ORDER BY length(path)
