// Links between notes, and why
// The strongest links that writing and organising made, each with its reason.
MATCH path = (one:Note)-[link:SIMILAR|ELABORATES|CAUSES|FOLLOWS|SUPERSEDES|CONTRADICTS]->(other:Note)
RETURN path, type(link) AS kind, link.weight AS weight, link.reason AS reason
ORDER BY weight DESC, one.key, other.key
LIMIT 50
