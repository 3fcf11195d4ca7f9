"""The observers that BEC brings: one tally of what a worker does, told to Prometheus and to CloudWatch."""
