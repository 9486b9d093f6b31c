"""What goes wrong, by whose fault it is."""

from __future__ import annotations


class Error(Exception):
    """The base of all errors of this package.

    Attributes:
        code: one of Abseil's status codes by name, such as "INVALID_ARGUMENT".
    """

    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code


class InputError(Error, ValueError):
    """The model, an argument or a file is at fault."""


class DeviceError(Error, RuntimeError):
    """A device is at fault: it failed, was lost, or lacks memory."""


class InternalError(Error, RuntimeError):
    """Tetrarch is at fault."""


# By the exit status that the command gives for the same error.
_BY_EXIT_STATUS: dict[int, type[Error]] = {2: InputError, 3: DeviceError, 4: InternalError}


def make(message: str, code: str, exit_status: int) -> Error:
    """The exception for an error of the library."""
    return _BY_EXIT_STATUS.get(exit_status, InternalError)(message, code)
