-- Jobs that read other jobs: inputs, blocked volumes, what was read and what was written, by content.
--
-- phase: before
-- oldest code: 1
-- runs: in one transaction

CREATE TABLE IF NOT EXISTS job_inputs (
    job_id       integer NOT NULL REFERENCES jobs ON DELETE CASCADE,
    name         text NOT NULL,
    input_job_id integer REFERENCES jobs ON DELETE SET NULL,
    artifacts    text[] NOT NULL DEFAULT '{}',
    follow       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_id, name)
);

ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS artifacts jsonb;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS lineage jsonb;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS released_at timestamptz;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS looked_at timestamptz;
ALTER TABLE ledger DROP CONSTRAINT IF EXISTS ledger_state_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_state_check CHECK (state IN ('waiting', 'blocked', 'done', 'failed'));
