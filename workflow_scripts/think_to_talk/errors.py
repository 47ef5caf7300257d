"""The one kind of error that a user can cause and mend."""


class InputError(ValueError):
    """Something given to the study is wrong: a config value, a dataset row, a checkpoint, a file.

    The message names it, says what was found and what was expected, and what to do. Scripts print
    it as one line, without a traceback.
    """
