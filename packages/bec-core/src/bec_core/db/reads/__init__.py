"""Figures and listings: SQL that only reads, called with a connection that can't write (``Database.reading()``)."""
