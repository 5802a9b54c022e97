// History of a note
// Put words of the note in place of ''. While it is empty, the note that was changed most is taken.
WITH '' AS words
MATCH (note:Note)
WHERE toLower(note.text) CONTAINS toLower(words)
WITH note ORDER BY note.version DESC, note.key LIMIT 1
WITH note, note.space * 1099511627776 AS base
MATCH (commit:_Commit {space: note.space})
WHERE (base + commit.first <= note.key AND note.key < base + commit.first + commit.nodes)
   OR EXISTS { (:_Change {space: note.space, id: note.id, seq: commit.seq}) }
OPTIONAL MATCH (change:_Change {space: note.space, id: note.id, seq: commit.seq})
RETURN commit.seq AS commit, coalesce(change.op, 'insert') AS did, commit.cause AS cause, commit.actor AS actor,
       datetime({epochMillis: commit.at_us / 1000}) AS at, commit.job AS job, note
ORDER BY commit
