"""The command line of BEC: parsing and printing only; :mod:`bec_core.admin` does the work."""
