"""``bec serve``: jobs, failures and workers in a browser. It shows what :mod:`bec_core.admin` reads."""
