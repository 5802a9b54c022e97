// How two entities hang together
// Put their names in place of ''. While one is empty, one that is spoken of often is taken.
WITH '' AS first, '' AS second
MATCH (a:Entity) WHERE first = '' OR toLower(a.name) = toLower(first)
WITH a, second ORDER BY COUNT { (a)<-[:MENTIONS]-() } DESC, a.key LIMIT 1
MATCH (b:Entity) WHERE b <> a AND b.space = a.space AND (second = '' OR toLower(b.name) = toLower(second))
WITH a, b ORDER BY COUNT { (b)<-[:MENTIONS]-() } DESC, b.key LIMIT 1
MATCH path = allShortestPaths((a)-[:MENTIONS|ABOUT|SPEAKER|FROM|AGENT|OBJECT|WITH|PLACE|TIME|TOPIC|OTHER*..6]-(b))
RETURN path
LIMIT 20
