// What the memory holds
MATCH (n:Zettel)
UNWIND [label IN labels(n) WHERE label <> 'Zettel'] AS label
RETURN label, count(*) AS nodes
ORDER BY nodes DESC
