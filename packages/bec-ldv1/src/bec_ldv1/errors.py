"""Why a page could not be done."""


class PageProblem(Exception):
    """A page that can't be processed; the volume goes on without it.

    Args:
        message: what is wrong, naming the thing, and what to do about it where something can be done.
        stage: the step that failed: "fetch", "decode", "scale", "detect", "rectify" or "record".
        retryable: whether the same page may succeed when it is tried again.
    """

    def __init__(self, message: str, *, stage: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.stage = stage
        self.retryable = retryable
