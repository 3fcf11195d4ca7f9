"""A source of pages: volumes that libraries publish as IIIF manifests."""
