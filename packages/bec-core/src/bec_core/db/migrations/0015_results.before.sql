-- Which volumes are done at which version, without a visit to the tasks: what blocks a job's volumes.
--
-- phase: before
-- oldest code: 1
-- runs: outside a transaction

CREATE INDEX CONCURRENTLY IF NOT EXISTS task_executions_results ON task_executions (job_id, volume_id, s3_etag)
    WHERE status = 'done';
