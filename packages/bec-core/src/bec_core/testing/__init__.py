"""For tests of BEC and of plugins: a small real job, and what makes failures happen on purpose."""
