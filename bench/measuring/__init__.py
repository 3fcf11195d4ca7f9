"""What `bench/speed.py` and `bench/instructions.py` are made of."""
