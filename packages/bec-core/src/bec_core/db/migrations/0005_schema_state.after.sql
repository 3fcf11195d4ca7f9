-- Without the sign that code before numbered migrations looks for, so that none of it starts any more.
--
-- phase: after
-- oldest code: 2
-- runs: in one transaction

DROP TABLE IF EXISTS schema_state;
