-- Which migrations this database has; made before the first of them, and by schema.sql.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version     integer PRIMARY KEY,
    name        text NOT NULL,
    phase       text NOT NULL CHECK (phase IN ('before', 'after')),
    oldest_code integer NOT NULL,   -- code whose newest migration has a lower number can't work with it
    applied_at  timestamptz NOT NULL DEFAULT now(),
    by          text NOT NULL       -- which program, where
);
