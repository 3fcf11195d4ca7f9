"""What is recorded of a page: from what detection saw to the volume's Parquet file, and its suspicious pages."""
