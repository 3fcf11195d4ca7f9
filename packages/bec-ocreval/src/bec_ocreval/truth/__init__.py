"""Ground truth: ``load`` reads a folder of it, ``find`` says which of it is of which page."""
