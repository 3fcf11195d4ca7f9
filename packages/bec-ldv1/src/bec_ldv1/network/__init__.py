"""The networks, their weights, and the engine that runs one for all pages in flight."""
