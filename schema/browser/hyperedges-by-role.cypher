// Relations and who takes part in them, by role
// Put a predicate (lives in, founded, …) in place of ''. While it is empty, all are taken.
WITH '' AS predicate
MATCH path = (relation:Hyperedge)-[role:AGENT|OBJECT|WITH|PLACE|TIME|TOPIC|OTHER]->(member)
WHERE predicate = '' OR relation.predicate = predicate
RETURN path, relation.predicate AS predicate, type(role) AS role, coalesce(member.name, member.text) AS member
ORDER BY relation.key, role
LIMIT 25
