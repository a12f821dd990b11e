"""What the command `lic` says when it cannot do what it was asked to."""


class BadInput(Exception):
    """One sentence about what the user has given."""
