// What a document or conversation holds
// Put words of its title in place of ''. While it is empty, the largest is taken.
WITH '' AS title
MATCH (source:Source)
WHERE toLower(source.title + source.outside_id) CONTAINS toLower(title)
WITH source ORDER BY COUNT { (source)<-[:PART_OF]-() } DESC, source.key LIMIT 1
MATCH path = (source)<-[:PART_OF]-(part)
RETURN path
LIMIT 80
