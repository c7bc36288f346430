"""`where` conditions -> Qdrant's filters, and metadata -> the payload that they ask.

The language is that of `filters`, where it says what each operator means. Every
value of a field is a fact, a line of JSON such as `["team", "hr"]`, that the field
is there at all is another, `["team"]`, and all facts of a chunk stand under one
payload key. So one keyword index serves every field, text is never taken for a
number, and no character of a name means anything. Numbers stand once more under
`numbers.<field>`, for ranges. Qdrant has no order of texts: `$gt` and its kin
compare numbers only.

Filters are built as the JSON of Qdrant's REST interface.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias, TypeGuard, cast

from rag.errors import FilterError
from rag.types import Filter, Metadata, Principal, Scalar

Condition: TypeAlias = dict[str, Any]
"""A condition, or a filter, which is one too."""

COLUMNS = ("document_id", "source", "title")
EVERYONE = ""
"""The reader of a document that names none."""

_COMPARISONS = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LONGEST = 200
_DEEPEST = 64


def facts(metadata: Metadata, columns: Mapping[str, str]) -> list[str]:
    """Every fact of a document whose `columns` are its id, source and title."""
    found: dict[str, None] = {}
    for field, value in {**metadata, **columns}.items():
        found[_there(field)] = None
        for item in _items(value):
            found[_fact(field, item)] = None
    return list(found)


def numbers(metadata: Metadata) -> dict[str, list[int | float]]:
    """The numbers of each field that has some, by the name that they are kept under."""
    found: dict[str, list[int | float]] = {}
    for field, value in metadata.items():
        kept = [item for item in _items(value) if _is_number(item)]
        if kept and field not in COLUMNS:
            found[number_name(field)] = kept
    return found


def number_name(field: str) -> str:
    """The name that a field's numbers are kept under: its own where that is a plain word, else a hash."""
    if _PLAIN.fullmatch(field) and len(field) <= _LONGEST:
        return field
    return "_" + hashlib.blake2b(field.encode(), digest_size=8).hexdigest()


def match(key: str, *values: str | int) -> Condition:
    """True where the payload's `key`, or an item of it, is one of `values`."""
    return {"key": key, "match": {"value": values[0]} if len(values) == 1 else {"any": list(values)}}


def match_phrase(key: str, words: str) -> Condition:
    """True where the text under `key` has these words, one behind the other."""
    return {"key": key, "match": {"phrase": words}}


def in_range(key: str, **bounds: float) -> Condition:
    """True where a number under `key` is within bounds named gt, gte, lt and lte."""
    return {"key": key, "range": bounds}


def all_of(conditions: Iterable[Condition]) -> Condition:
    """True where all are."""
    return {"must": list(conditions)}


def any_of(conditions: Iterable[Condition]) -> Condition:
    """True where one is."""
    return {"should": list(conditions)}


def none_of(conditions: Iterable[Condition]) -> Condition:
    """True where none is."""
    return {"must_not": list(conditions)}


NEVER: Condition = {"must": [{"key": "facts", "match": {"value": ""}}]}
"""True of nothing: no fact is empty."""


def readable_by(principal: Principal) -> Condition:
    """True of what `principal` may read."""
    tenant = match("tenant", principal.tenant)
    if principal.operator:
        return all_of([tenant])
    return all_of([tenant, match("readers", EVERYONE, *sorted(principal.names))])


def compile_filter(where: Filter) -> Condition:
    """The Qdrant filter that is true of the chunks whose documents are inside `where`.

    Raises:
        FilterError: `where` is not a filter, names an operator that does not exist, or asks for
            an order of texts, which Qdrant does not know.
    """
    return _all_of(where, 0)


def _all_of(where: object, depth: int) -> Condition:
    if not isinstance(where, Mapping):
        raise FilterError(f'a filter is an object such as {{"team": "hr"}}, not {where!r}')
    if depth > _DEEPEST:
        raise FilterError(f"this filter is nested deeper than {_DEEPEST}; make it flatter")
    return all_of(_clause(field, wanted, depth) for field, wanted in where.items())


def _clause(field: object, wanted: object, depth: int) -> Condition:
    if not isinstance(field, str):
        raise FilterError(f"a field's name is text, not {field!r}")
    if field in _JOINED:
        if not isinstance(wanted, list | tuple) or not wanted:
            raise FilterError(f"{field} takes a list of filters, not {wanted!r}")
        return _JOINED[field]([_all_of(part, depth + 1) for part in wanted])
    if field.startswith("$"):
        raise FilterError(f"unknown operator {field}: at this place stands a field, $and, $or or $nor")
    if not isinstance(wanted, Mapping):
        return _among(field, [wanted])
    if not wanted:
        raise FilterError(f'the condition on "{field}" is empty: write {{"{field}": {{"$gte": 2020}}}}')
    if depth > _DEEPEST:
        raise FilterError(f"this filter is nested deeper than {_DEEPEST}; make it flatter")
    return all_of(_operation(field, name, value, depth) for name, value in wanted.items())


def _operation(field: str, name: object, value: object, depth: int) -> Condition:
    if name == "$not":
        if not isinstance(value, Mapping):
            raise FilterError(f'$not on "{field}" takes an object such as {{"$gt": 5}}, not {value!r}')
        return none_of([_clause(field, value, depth + 1)])
    if name in _COMPARISONS:
        return _compare(field, str(name), value)
    operation = _OPERATIONS.get(str(name))
    if operation is None:
        known = ", ".join(sorted([*_COMPARISONS, *_OPERATIONS, "$not"]))
        raise FilterError(f'unknown operator {name!r} on "{field}": there are {known}')
    return operation(field, value)


def _compare(field: str, name: str, value: object) -> Condition:
    wanted = _scalar(field, value)
    if not _is_number(wanted):
        if isinstance(wanted, str):
            raise FilterError(
                f'{name} on "{field}" compares with the text {wanted!r}, and Qdrant has no order of texts; '
                "keep a number to compare, such as 20240131 for a day"
            )
        raise FilterError(
            f'{name} on "{field}" with {json.dumps(wanted)} has no meaning: compare with a number'
        )
    if field in COLUMNS:
        return NEVER
    return in_range(f"numbers.{number_name(field)}", **{_COMPARISONS[name]: wanted})


def _among(field: str, values: object) -> Condition:
    if not isinstance(values, list | tuple | set | frozenset):
        raise FilterError(f'$in and $nin on "{field}" take a list, not {values!r}')
    wanted = [_scalar(field, value) for value in values]
    if not wanted:
        return NEVER
    among = match("facts", *dict.fromkeys(_fact(field, value) for value in wanted))
    return among if None not in wanted else any_of([among, none_of([match("facts", _there(field))])])


def _exists(field: str, wanted: object) -> Condition:
    if not isinstance(wanted, bool):
        raise FilterError(f'$exists on "{field}" is true or false, not {wanted!r}')
    there = match("facts", _there(field))
    return there if wanted else none_of([there])


def _scalar(field: str, value: object) -> Scalar:
    if isinstance(value, float) and not isfinite(value):
        raise FilterError(f'"{field}" is compared with {value}, which is not a finite number')
    if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
        raise FilterError(f'"{field}" is compared with {value!r}, which holds what no text may hold')
    if value is None or isinstance(value, str | int | float):
        return value
    raise FilterError(f'"{field}" is compared with text, a number, true, false or null, not {value!r}')


def _items(value: Scalar | Sequence[Scalar]) -> list[Scalar]:
    return list(value) if isinstance(value, list | tuple) else [cast("Scalar", value)]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _there(field: str) -> str:
    return json.dumps([field], ensure_ascii=False)


def _fact(field: str, value: Scalar) -> str:
    """The fact that a field has a value; 1 and 1.0 are one value, a long text stands as its hash."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps([field, value], ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    marked = [
        field[:_LONGEST],
        "",
        hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest(),
    ]
    return json.dumps(marked, ensure_ascii=False)


_JOINED: dict[str, Callable[[Sequence[Condition]], Condition]] = {
    "$and": all_of,
    "$or": any_of,
    "$nor": none_of,
}

_OPERATIONS: dict[str, Callable[[str, object], Condition]] = {
    "$eq": lambda field, value: _among(field, [value]),
    "$ne": lambda field, value: none_of([_among(field, [value])]),
    "$in": _among,
    "$nin": lambda field, values: none_of([_among(field, values)]),
    "$exists": _exists,
}
