"""The error that damaged bytes are. It has a module of its own, so that reading a header loads no coder."""


class BitstreamError(ValueError):
    """The bytes are no stream of these indexes and tables: damaged, cut short, or made with other tables."""
