-- Canaries: volumes that go first, and those that are held back until they have passed.
--
-- phase: before
-- oldest code: 1
-- runs: in one transaction

CREATE TABLE IF NOT EXISTS canaries (
    job_id     integer PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    volume_ids integer[] NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    verdict    text CHECK (verdict IN ('passed', 'failed', 'released')),
    reason     text,
    judged_at  timestamptz
);

ALTER TABLE ledger DROP CONSTRAINT IF EXISTS ledger_state_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_state_check
    CHECK (state IN ('waiting', 'blocked', 'held', 'done', 'failed'));
