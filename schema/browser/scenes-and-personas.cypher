// Scenes and personas
// Who is what by what was told: a persona, the statements it is made of, and the scenes that those stand in.
MATCH (persona:Persona) WITH persona ORDER BY persona.key LIMIT 5
MATCH path = (persona)-[:DERIVED_FROM]->(note:Note)
OPTIONAL MATCH scene = (:Scene)-[:DERIVED_FROM]->(note)
RETURN path, scene, persona.text AS persona
LIMIT 100
