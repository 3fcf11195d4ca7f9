-- Room for numbered requests, recipes, the place of artifacts, and what is known of attempts that died.
--
-- phase: before
-- oldest code: 1
-- runs: in one transaction

ALTER TABLE jobs ADD COLUMN IF NOT EXISTS artifact_root text;
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS shares_prefix boolean NOT NULL DEFAULT false;

CREATE TABLE IF NOT EXISTS job_recipes (
    job_id      integer NOT NULL REFERENCES jobs ON DELETE CASCADE,
    recipe      text NOT NULL,
    contents    jsonb NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, recipe)
);

ALTER TABLE workers ADD COLUMN IF NOT EXISTS recipe text;

ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS artifact_root text;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS recipe text;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS request bigint NOT NULL DEFAULT 0;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS message_id text;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS receipt text;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS pages_done integer NOT NULL DEFAULT 0;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS furthest integer NOT NULL DEFAULT 0;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS lost integer NOT NULL DEFAULT 0;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS runtime_faults integer NOT NULL DEFAULT 0;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS first_fault_at timestamptz;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS alone boolean NOT NULL DEFAULT false;
ALTER TABLE task_executions ADD COLUMN IF NOT EXISTS page_errors jsonb;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS request bigint NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS config_revision integer;
