// Hubs: what most hangs on
MATCH (entity:Entity)
WITH entity, COUNT { (entity)--() } AS degree ORDER BY degree DESC, entity.key LIMIT 10
CALL (entity) {
  MATCH path = (entity)<-[:MENTIONS|ABOUT|SPEAKER]-()
  RETURN path LIMIT 8
}
RETURN path, entity.name AS name, degree
