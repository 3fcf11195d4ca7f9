-- The index of totals that older code read is needed no more.
--
-- phase: after
-- oldest code: 1
-- runs: outside a transaction

DROP INDEX CONCURRENTLY IF EXISTS task_executions_stats;
