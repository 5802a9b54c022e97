// Jobs, and what each wrote
MATCH (job:_Job)
OPTIONAL MATCH (commit:_Commit {space: job.space, job: job.id})
RETURN job.id AS job, job.state AS state, datetime({epochMillis: job.opened_us / 1000}) AS opened,
       count(commit) AS commits, sum(commit.nodes) AS nodes, job.spec AS asked
ORDER BY opened DESC
LIMIT 50
