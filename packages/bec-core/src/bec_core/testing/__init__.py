"""For tests of BEC and of plugins: a task without services, a conformance kit, a small real job.

``local`` runs a job in a unit test, ``fixtures`` does it for pytest, ``conformance`` checks a job type against all
that the runtime expects of it; ``checksum_job`` is a real job whose pages can make any trouble.
"""
