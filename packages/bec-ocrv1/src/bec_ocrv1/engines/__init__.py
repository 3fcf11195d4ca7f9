"""The engines that read lines, and which of them a job's config means."""
