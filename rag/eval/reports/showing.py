"""Text that nobody vouches for, made fit to be shown: what steers a reader's screen is shown, not obeyed."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.eval.statistics.bootstrap import Estimate

# control characters, what turns the direction of text or is not seen at all, and halves of characters
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text with what would be obeyed or not be seen as its number: `‹U+202E›`; line ends as one."""
    return _HIDDEN.sub(
        lambda match: f"‹U+{ord(match[0]):04X}›", text.replace("\r\n", "\n").replace("\r", "\n")
    )


def one_line(text: str, most: int = 0) -> str:
    """The visible text on one line, cut behind `most` characters unless that is 0."""
    line = " ".join(visible(text).split())
    return line if not most or len(line) <= most else f"{line[: most - 1].rstrip()}…"


def decimal(value: float, dash: str = "–") -> str:
    """A number with three digits, a dash where it is none."""
    return f"{value:.3f}" if math.isfinite(value) else dash


def interval(estimate: Estimate, dash: str = "–", rough: str = " (rough)") -> str:
    """The interval of an estimate, a dash where it has none, and whether it is rough."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return dash
    return f"{estimate.low:.3f} {dash} {estimate.high:.3f}" + ("" if estimate.reliable else rough)
