-- An index that finds a dead worker's tasks without reading the whole table.
--
-- phase: before
-- oldest code: 1
-- runs: outside a transaction

CREATE INDEX CONCURRENTLY IF NOT EXISTS task_executions_running ON task_executions (worker_id) WHERE status = 'running';
