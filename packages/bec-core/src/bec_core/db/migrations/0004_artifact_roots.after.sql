-- Where the artifacts of finished tasks lie, for rows of workers that did not say; unknown where no config tells.
--
-- phase: after
-- oldest code: 2
-- runs: in batches

-- A row's config is the revision that it was done by. Jobs of the production line have no first revision: there the
-- job's config tells, if it never changed. A row that such a worker (it names no recipe) did once more, after one that
-- did say, still has what the other said: that is unknown too.
WITH batch AS (
    SELECT t.id, t.epoch, w.worker_id IS NOT NULL AND w.recipe IS NULL AND t.recipe IS NOT NULL AS stale,
           CASE WHEN r.revision IS NOT NULL OR coalesce(t.config_revision, 1) = j.config_revision
               THEN coalesce(nullif(coalesce(r.config, j.config) ->> 'artifact_prefix', ''), j.name)
           END AS root
    FROM (SELECT * FROM task_executions WHERE id > %(after)s ORDER BY id LIMIT 5000) t
    JOIN jobs j ON j.id = t.job_id
    LEFT JOIN job_config_revisions r ON (r.job_id, r.revision) = (t.job_id, t.config_revision)
    LEFT JOIN workers w ON w.worker_id = t.worker_id
), filled AS (
    UPDATE task_executions t
    SET artifact_root = b.root, recipe = CASE WHEN NOT b.stale THEN t.recipe END
    FROM batch b
    WHERE (t.id, t.epoch) = (b.id, b.epoch) AND t.status = 'done'
      AND (b.stale OR (t.artifact_root IS NULL AND b.root IS NOT NULL))
)
SELECT max(id) FROM batch;
