"""``python -m bec_cli`` is ``bec``."""

from bec_cli.main import main

main()
