// Who speaks of what, how often
MATCH (speaker:Entity)<-[:SPEAKER]-(passage:Passage)-[:MENTIONS]->(thing:Entity)
WITH speaker.name AS speaker, thing.name AS thing, thing.type AS type, count(*) AS times,
     min(passage.at_us) AS from_us, max(passage.at_us) AS to_us
RETURN speaker, thing, type, times,
       CASE WHEN from_us IS NOT NULL THEN datetime({epochMillis: from_us / 1000}) END AS first,
       CASE WHEN to_us IS NOT NULL THEN datetime({epochMillis: to_us / 1000}) END AS last
ORDER BY times DESC, speaker, thing
LIMIT 100
