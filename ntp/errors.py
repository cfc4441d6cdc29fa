"""Errors a user can act on: one line that says what is wrong, where, and what to do.

`ntp.run` prints the message of an `NtpError` without a traceback and exits with status 1. Everything else is
a bug in ntp and keeps its traceback.
"""


class NtpError(Exception):
    """Base class of every error that the user, not the programmer, can fix."""


class ConfigError(NtpError):
    """A configuration value that cannot work (a budget of 0, an output directory that is read-only)."""


class DataError(NtpError):
    """Bad data on disk: a corrupt JSONL line, an empty split, a file of another schema version."""


class CheckpointError(NtpError):
    """A checkpoint that is missing, incomplete, or belongs to another model."""


class EnvError(NtpError):
    """Broken proof-assistant infrastructure: missing, of an unsupported version, or unable to start."""


class InitError(EnvError):
    """A theorem that could not be opened: unknown, or its file does not replay up to it."""


class GeneratorError(NtpError):
    """A language model behind a server that cannot be reached, refuses the key, or answers nothing."""


class PreemptedError(Exception):
    """The system asked the run to end, and it did so after a checkpoint. Not an error.

    Attributes:
        signum: Number of the signal that was received.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum
