// Why was this found?
// The newest recall that was kept (`graphmem recall "…" --keep`): what it found, and step by step what led there.
MATCH (recall:Recall)
WITH recall ORDER BY recall.at_us DESC LIMIT 1
CALL (recall) {
  MATCH path = (recall)-[:FOUND]->(:Note) RETURN path
  UNION
  MATCH path = (recall)-[:STARTS]->(:Step)-[:LEADS_TO*0..8]->(:Step)-[:AT]->(:Zettel) RETURN path
}
RETURN path
LIMIT 200
