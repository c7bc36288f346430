"""The error tree. Every error says what went wrong, where, and how to mend it.

RagError
|- InputError (ValueError)               something handed in cannot be used
|  |- UnsupportedFormat                  no loader reads this kind of file
|  |- UnreadableDocument                 the file is damaged, or not what its suffix says
|  |- EncryptedDocument                  the file needs a password
|  |- DocumentTooLarge                   the file, or what it unpacks to, is over the limit
|  |- FilterError                        a `where` that is not a filter
|  |- SyncRefused                        a sync would remove so much that it looks like a mistake
|  |- QuestionFileError                  a question set or test collection that does not parse
|  |- PromptTooLong                      a prompt has more tokens than the language model takes
|  |- ModelRefused                       a model's file is damaged, unsafe, or needs more memory than there is
|  |- CannotReplay                       the index or the generator is not the one that made an answer
|  `- MetricNotFound (LookupError)      no metric of that name was measured
|- DocumentNotFound (LookupError)        no document of that id in the index
|- AnswerNotFound (LookupError)          no answer of that id in the query log
|- EncoderNotFound (LookupError)         no encoder is installed, or none of that name
|- EncoderMismatch (ValueError)          the index was made with another encoder
|- IndexNotFound (FileNotFoundError)     no index at that place
|- IndexLocked (TimeoutError)            another process is writing to the index
|- IndexCorrupt (OSError)                a file of the index is missing or damaged
|- IndexFailed (OSError)                 the disk refused a read or a write of the index
|- IndexFormatError (ValueError)         the index was written in a format this version does not read
|- ModelFailed (RuntimeError)            a language model stopped in the middle of its work
|- IndexClosed (ValueError)              the index was used after close()
`- MissingExtra (ImportError)            an optional package is needed

"No answer" is not an error: an `Answer` says so in `abstained`.
"""

from __future__ import annotations


class RagError(Exception):
    """The root of every error that this package raises on purpose."""


class InputError(RagError, ValueError):
    """Something handed in cannot be used as it is."""


class UnsupportedFormat(InputError):
    """No loader reads this kind of file."""


class UnreadableDocument(InputError):
    """The file is damaged, or is not what its suffix says."""


class EncryptedDocument(InputError):
    """The file needs a password to be read."""


class DocumentTooLarge(InputError):
    """The file, or what it unpacks to, is over the size limit."""


class FilterError(InputError):
    """A `where` argument is not a filter."""


class SyncRefused(InputError):
    """A sync would remove so much, or sees so little, that it looks like a mistake: nothing was changed."""


class QuestionFileError(InputError):
    """A question set or a test collection does not parse."""


class PromptTooLong(InputError):
    """A prompt, with the text to be written, has more tokens than the language model takes."""


class ModelRefused(InputError):
    """A model's file is damaged, of a kind that is not run, or needs more memory than there is."""


class CannotReplay(InputError):
    """An answer cannot be asked for again: the index has moved on, or another generator writes."""


class MetricNotFound(InputError, LookupError):
    """An evaluation has no metric of that name."""


class DocumentNotFound(RagError, LookupError):
    """The index holds no document of that id."""


class AnswerNotFound(RagError, LookupError):
    """The query log holds no answer of that id for who asks."""


class EncoderNotFound(RagError, LookupError):
    """No encoder is installed, or none of that name."""


class EncoderMismatch(RagError, ValueError):
    """The index was made with another encoder than the one it is opened with."""


class IndexNotFound(RagError, FileNotFoundError):
    """There is no index at that place."""


class IndexLocked(RagError, TimeoutError):
    """Another process is writing to the index."""


class IndexCorrupt(RagError, OSError):
    """A file of the index is missing or damaged."""


class IndexFailed(RagError, OSError):
    """The disk refused a read or a write of the index: no room, no right, too many open files."""


class IndexFormatError(RagError, ValueError):
    """The index was written in a format that this version does not read."""


class ModelFailed(RagError, RuntimeError):
    """A language model stopped in the middle of its work."""


class JudgeFailed(RagError, RuntimeError):
    """A judge of answers gave nothing that could be read."""


class IndexClosed(RagError, ValueError):
    """The index was used after it was closed."""


class MissingExtra(RagError, ImportError):
    """An optional package is needed for what was asked."""
