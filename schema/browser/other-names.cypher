// Other names of an entity, and where each was seen first
MATCH (alias:_Alias)
MATCH (entity:Entity {key: alias.entity})
OPTIONAL MATCH (seen:Passage {key: alias.passage})
RETURN entity.name AS entity, entity.type AS type, collect(alias.folded) AS names, head(collect(seen.text)) AS seen
ORDER BY size(names) DESC, entity
LIMIT 100
