"""What a task raises that this worker cannot run, but another one can."""


class NotHereError(Exception):
    """Code or settings that a task needs are not those of this worker, which may be older than the task.

    The task fails nowhere: it waits for a worker that has them, however long that takes.
    """
