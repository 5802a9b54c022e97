// What one job wrote
// Put the job's id in place of '' (`graphmem jobs list`). While it is empty, the newest job is taken.
WITH '' AS id
MATCH (job:_Job)
WHERE job.id STARTS WITH id AND EXISTS { MATCH (c:_Commit {space: job.space, job: job.id}) WHERE c.nodes > 0 }
WITH job ORDER BY job.opened_us DESC LIMIT 1
MATCH (commit:_Commit {space: job.space, job: job.id})
WITH commit, commit.space * 1099511627776 + commit.first AS low
MATCH (made:Zettel)
WHERE made.key >= low AND made.key < low + commit.nodes
RETURN made, commit.seq AS commit
ORDER BY made.key
LIMIT 100
