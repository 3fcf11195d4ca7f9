"""Letting other engines start and end a job's workers: by rules over the ledger's backlog, published as metrics."""
