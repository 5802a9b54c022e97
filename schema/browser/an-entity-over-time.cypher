// Everything about an entity, over time
// Put its name in place of ''. While it is empty, the one that is spoken of most is taken.
WITH '' AS name
MATCH (entity:Entity)
WHERE name = '' OR toLower(entity.name) = toLower(name)
WITH entity ORDER BY COUNT { (entity)<-[:MENTIONS]-() } DESC, entity.key LIMIT 1
MATCH path = (entity)<-[:MENTIONS|SPEAKER]-(passage:Passage)
OPTIONAL MATCH told = (passage)<-[:FROM]-(note:Note)-[:ABOUT]->(entity)
RETURN path, told, CASE WHEN passage.at_us IS NOT NULL THEN datetime({epochMillis: passage.at_us / 1000}) END AS at
ORDER BY passage.at_us, passage.ordinal
LIMIT 60
