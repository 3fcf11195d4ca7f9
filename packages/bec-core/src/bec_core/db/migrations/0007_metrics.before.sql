-- Room for the figures that a job gives of each volume.
--
-- phase: before
-- oldest code: 1
-- runs: in one transaction

ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS metrics jsonb;
