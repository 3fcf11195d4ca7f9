"""What a job makes of a volume's pages: fetched ahead, worked on side by side, handed back in their order.

``flow`` is one run over a volume's pages, ``pools`` the threads and processes that all volumes of a worker share,
``processes`` and ``child`` the two ends of a page that is worked on in another process, ``stages`` the clock,
``values`` the one place where what a page's function returns becomes bytes, and a value again.

Nothing is imported here: every job imports :func:`~bec_core.pages.stages.timed`, and only workers need the rest.
"""
