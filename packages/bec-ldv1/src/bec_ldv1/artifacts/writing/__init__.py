"""What programs share that write out results made on ldv1's lines: finding artifacts, names, formats, pages' files.

Line detection's own export is one of them, recognition's another. Nothing is imported here.
"""
