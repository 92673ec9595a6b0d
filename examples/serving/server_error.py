"""What the clients raise where there is no answer."""

# A request itself is at fault: names of gRPC's statuses, and HTTP's numbers.
REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "400", "404")


class ServerError(Exception):
    """A request that the server refused, or that no answer came to.

    Attributes:
        status: the name of gRPC's status, HTTP's number, or what became of the connection.
        refused: whether the request is at fault. Sent again, it will be refused again; after
            anything else it may be answered.
    """

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status
        self.refused = status in REFUSALS
