// What was replaced by what
// Statements that a later one replaced, surely (SUPERSEDES) or perhaps (FOLLOWS), and the evidence of both.
MATCH path = (later:Note)-[link:SUPERSEDES|FOLLOWS]->(earlier:Note)
OPTIONAL MATCH now = (later)-[:FROM]->(:Passage)
OPTIONAL MATCH before = (earlier)-[:FROM]->(:Passage)
RETURN path, now, before, later.text AS holds, earlier.text AS replaced, link.reason AS reason
LIMIT 50
