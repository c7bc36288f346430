"""The bytes of tokens as text: whole characters only, and nothing of a text that ends the writing."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Turns the bytes of one token after another into text that can be shown.

    What may be the beginning of a text in `stop` is held back until it is known; once one is there
    `stopped` is true, and neither it nor what follows comes out.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.stopped = False

    def add(self, data: bytes) -> str:
        """The text that is certain with these bytes added."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        found = [at for at in (self._held.find(text) for text in self._stop) if at >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        keep = self._waiting()
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return shown

    def end(self) -> str:
        """What was held back, where nothing more comes; half a character is dropped."""
        shown, self._held = self._held, ""
        return "" if self.stopped else shown

    def _waiting(self) -> int:
        """How many characters at the end may begin a text that stops."""
        longest = 0
        for text in self._stop:
            for length in range(min(len(text) - 1, len(self._held)), longest, -1):
                if self._held.endswith(text[:length]):
                    longest = length
                    break
        return longest
