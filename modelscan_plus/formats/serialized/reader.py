"""Reads numbers one after the other through a window, so that small reads of a large source stay cheap."""

import struct

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget

_WINDOW = 1 << 16


class Ended(Exception):
    """The bytes end, or are no object, where one should be."""


class Reader:
    """A position in a source; every method raises `Ended` where the source ends early."""

    def __init__(self, source: ByteSource, at: int, budget: Budget) -> None:
        self.at = at
        self.size = source.size
        self.budget = budget
        self._source = source
        self._start = 0
        self._window = b""

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self.at + length
        if length < 0 or end > self.size:
            raise Ended("the file ends early")
        if not (self._start <= self.at and end <= self._start + len(self._window)):
            self._start = self.at
            self._window = self._source.pread(self.at, max(length, _WINDOW))
            if len(self._window) < length:
                raise Ended("the file ends early")
        data = self._window[self.at - self._start : end - self._start]
        self.at = end
        return data

    def skip(self, length: int) -> None:
        """Go on behind `length` bytes of numbers."""
        if length < 0 or self.at + length > self.size:
            raise Ended("the file ends early")
        self.at += length

    def number(self, form: str) -> int:
        """One whole number of `struct` form."""
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value
