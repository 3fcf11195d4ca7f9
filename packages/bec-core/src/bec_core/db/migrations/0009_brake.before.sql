-- Room for what the brake says of a job.
--
-- phase: before
-- oldest code: 1
-- runs: in one transaction

ALTER TABLE jobs ADD COLUMN IF NOT EXISTS brake_reason text;
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS brake_from timestamptz;
