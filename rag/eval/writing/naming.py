"""What a question set calls the documents: by the folder that they share, so that it holds elsewhere too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import takewhile

from rag.eval.questions import path_parts


def relative_names(sources: Iterable[str]) -> dict[str, str]:
    """Give each source its path below the folder that all sources share, with `/` between its parts.

    A place of that name is in that source alone (`Place.is_in`): where the name would end another source
    too, it has as many more folders as it takes, and is the source itself where none suffice.
    """
    parts = {source: path_parts(source) for source in sources}
    columns = zip(*(each[:-1] for each in parts.values()), strict=False)
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    ends = Counter(each[at:] for each in parts.values() for at in range(len(each)))
    names = {}
    for source, own in parts.items():
        at = shared
        while at and ends[own[at:]] > 1:
            at -= 1
        names[source] = "/".join(own[at:]) if at else source
    return names
