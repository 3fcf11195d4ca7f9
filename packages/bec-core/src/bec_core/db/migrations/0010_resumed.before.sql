-- How many pages an attempt took over from the ones before it; and that a task was only interrupted.
--
-- phase: before
-- oldest code: 1
-- runs: in one transaction

ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS pages_resumed integer NOT NULL DEFAULT 0;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS handed_back boolean NOT NULL DEFAULT false;
