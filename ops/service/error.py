"""What goes wrong with a service, with the exit code that `ops/services` ends with."""

FAILED = 1
USAGE = 2
UNREACHABLE = 5


class ServiceError(Exception):
    """A sentence for a person: the thing, what is wrong with it, the remedy."""

    def __init__(self, message, exit_code=FAILED):
        super().__init__(message)
        self.exit_code = exit_code
