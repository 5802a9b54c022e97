// Contradictions
// Notes that contradict each other, and the passages that bear each out.
MATCH path = (one:Note)-[link:CONTRADICTS]->(other:Note)
OPTIONAL MATCH evidence = (one)-[:FROM]->(:Passage)
OPTIONAL MATCH counter = (other)-[:FROM]->(:Passage)
RETURN path, evidence, counter, link.reason AS reason
LIMIT 50
