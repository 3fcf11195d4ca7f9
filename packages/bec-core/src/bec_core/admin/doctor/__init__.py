"""``bec doctor``: is everything there that a run needs? Each check with its remedy, none longer than its time limit."""
