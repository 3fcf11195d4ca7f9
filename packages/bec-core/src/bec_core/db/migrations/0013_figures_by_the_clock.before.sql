-- The totals of a job hold what its tasks took by the clock: an index that covers that too.
--
-- phase: before
-- oldest code: 1
-- runs: outside a transaction

CREATE INDEX CONCURRENTLY IF NOT EXISTS task_executions_figures ON task_executions (job_id, status)
    INCLUDE (total_images, nb_errors, total_duration_ms, wall_clock_duration_ms, done_at);
