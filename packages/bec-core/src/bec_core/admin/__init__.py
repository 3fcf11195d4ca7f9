"""What the command line calls: jobs, enqueueing, runs, statistics. It prints nothing and asks nothing."""
