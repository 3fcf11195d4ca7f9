"""PDF files as volumes: a source of pages for BEC."""
