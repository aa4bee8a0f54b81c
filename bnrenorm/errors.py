"""The one exception for what the user can mend."""


class InputError(ValueError):
    """Bad input: one line that names the file, the key, the value and what was expected.

    The command line prints it and exits with code 2; nothing has been written by then.
    """
