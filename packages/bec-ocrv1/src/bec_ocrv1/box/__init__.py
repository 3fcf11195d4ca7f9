"""The recogniser in the box: its preparation of a line, its network and its language model."""
