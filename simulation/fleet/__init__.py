"""A fleet of spot workers in simulation: the queue, the ledger and the workers by their real rules, time by SimPy.

``scenario`` is what is put in, ``queue`` SQS, ``ledger`` the database, ``worker`` what an instance does from its start
to its end, ``tally`` what is counted, ``run`` all of it together.
"""
