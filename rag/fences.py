"""Text of files, made into data of a prompt.

What stands in a file may have been written to be obeyed. So it stands between delimiters that cannot occur
in it, and what resembles a delimiter, a mark, a speaker's turn or a model's special token is made into plain
text.

Source: Hines et al., Defending Against Indirect Prompt Injection Attacks With Spotlighting, 2024
(arXiv:2403.14720).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_MARK = re.compile(r"[\[［【〔⟦〚]([\s^#†]*\d[^\[\]［］【】〔〕⟦⟧〚〛\n]{0,40})[\]］】〕⟧〛]")
_TURN = re.compile(
    r"^([^\w\n]{0,8})(system|user|human|assistant|ai|bot|model|instructions?|response|question|answer|tool"
    r"|developer|passages?|rules?)(\W{0,4}:|(?=\s*$))",
    re.IGNORECASE | re.MULTILINE,
)
_SPECIAL = re.compile(
    r"(?<=[|｜>])>|<(?=[|｜<])|<(?=/?(?:s|bos|eos|pad|unk|mask|cls|sep|(?:start|end)_of_turn"
    r"|start_header_id|end_header_id|system|user|assistant|tool\w*|think|im_start|im_end)\b[^>\n]{0,20}>)"
    r"|\[(?=/?(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The text of a passage without what a model could take for more than text.

    Invisible characters go, marks get round brackets, speakers' names at the start of a line quotes, and a
    space breaks what resembles a delimiter or a special token.
    """
    text = _INVISIBLE.sub("", text)
    text = _SPECIAL.sub(lambda found: " >" if found[0] == ">" else f"{found[0]} ", text)
    text = _MARK.sub(r"(\1)", text)
    return _TURN.sub(r'\1"\2"\3', text)


def delimiter(texts: Sequence[str]) -> str:
    """Twelve hexadecimal digits that occur in none of the texts, the same for the same texts."""
    digest = hashlib.sha256("\0".join(texts).encode(errors="replace"))
    together = "\n".join(texts).lower()
    while digest.hexdigest()[:12] in together:
        digest.update(b"again")
    return str(digest.hexdigest()[:12])
