"""What an EC2 instance is told about itself, and what its group is told in return.

``imds`` speaks to the instance's metadata service (IMDSv2), ``notices`` reads from it that the instance will be taken
back, ``group`` makes the Auto Scaling group's calls, ``crew`` lets the workers of one instance act as one, ``watch`` is
the thread that does it all. Nothing is imported here: on a machine that is no EC2 instance nothing of this runs.
"""
