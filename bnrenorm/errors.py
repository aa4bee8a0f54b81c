"""The one exception for mistakes that the user can fix, and the one warning that is advice."""


class InputError(ValueError):
    """Bad input: one line that names the file, the key, the value and what was expected.

    The command line prints it and exits with code 2; nothing has been written by then.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))  # a value that is repeated may have several lines


class Hint(UserWarning):
    """Advice on something that is not wrong but could be better. The command line prints it on one line."""
