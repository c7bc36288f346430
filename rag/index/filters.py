"""`where` conditions -> one SQL condition over the documents, and so one bitmap for every leg.

The language is MongoDB's: a field equals a value, or an operator's object;
`$and`, `$or`, `$nor` combine. A list field matches when one of its items does.
`$ne` and `$nin` are true of a document that lacks the field, and so is `null`;
numbers compare with numbers, text with text, true and false with themselves only.
At the top, or in an `$and` there, `{"$text": {"$search": '"a phrase" +must -not'}}` keeps the passages
that meet the conditions of a typed query (see `rag.index.query`); all else is of documents.
`document_id`, `source` and `title` are fields of every document, whatever its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import isfinite

from rag.errors import FilterError
from rag.index.database import Condition
from rag.index.documents import is_storable
from rag.types import Filter, Principal, Scalar

COLUMNS = {"document_id": "id", "source": "source", "title": "title"}
_TOO_DEEP = "this filter is nested deeper than can be read; make it flatter"
COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


def compile_filter(where: Filter) -> Condition:
    """The SQL condition that is true of the documents inside `where`.

    Raises:
        FilterError: `where` is not a filter, or names an operator that does not exist.
    """
    try:
        return _all_of(where)
    except RecursionError:
        raise FilterError(_TOO_DEEP) from None


def split_text(where: Filter) -> tuple[Filter, tuple[str, ...]]:
    """What of a filter is asked of documents, and the typed queries whose conditions passages must meet.

    Raises:
        FilterError: a `$text` is not one.
    """
    if not isinstance(where, Mapping):
        raise FilterError(f'a filter is an object such as {{"team": "hr"}}, not {where!r}')
    rest, searches = dict(where), list[str]()
    if "$text" in rest:
        match rest.pop("$text"):
            case {"$search": str(search), **others} if not others:
                searches.append(search)
            case other:
                raise FilterError(f'$text takes {{"$search": "words to meet"}}, not {other!r}')
    together = rest.get("$and")
    if isinstance(together, list | tuple) and together:
        try:
            split = [split_text(part) for part in together]
        except RecursionError:
            raise FilterError(_TOO_DEEP) from None
        searches += [search for _, found in split for search in found]
        rest["$and"] = [part for part, _ in split]
    return rest, tuple(searches)


def readable_by(principal: Principal) -> Condition:
    """The SQL condition that is true of the documents that `principal` may read."""
    tenant = Condition("tenant = ?", (principal.tenant,))
    if principal.operator:
        return tenant
    named = Condition(
        "readers = '' OR EXISTS (SELECT 1 FROM json_each(readers) AS reader "
        "WHERE reader.value IN (SELECT value FROM json_each(?)))",
        (json.dumps(sorted(principal.names)),),
    )
    return _joined([tenant, named], "AND", empty="1")


def _all_of(where: object) -> Condition:
    if not isinstance(where, Mapping):
        raise FilterError(f'a filter is an object such as {{"team": "hr"}}, not {where!r}')
    parts = [_clause(field, wanted) for field, wanted in where.items()]
    return _joined(parts, "AND", empty="1")


def _joined(parts: list[Condition], word: str, empty: str) -> Condition:
    if not parts:
        return Condition(empty)
    sql = f" {word} ".join(f"({part.sql})" for part in parts)
    return Condition(sql, tuple(value for part in parts for value in part.values))


def _negated(part: Condition) -> Condition:
    return Condition(f"NOT ({part.sql})", part.values)


def _clause(field: object, wanted: object) -> Condition:
    if not isinstance(field, str):
        raise FilterError(f"a field's name is text, not {field!r}")
    if field in ("$and", "$or", "$nor"):
        if not isinstance(wanted, list | tuple) or not wanted:
            raise FilterError(f"{field} takes a list of filters, not {wanted!r}")
        parts = [_all_of(part) for part in wanted]
        either = _joined(parts, "AND" if field == "$and" else "OR", empty="1")
        return _negated(either) if field == "$nor" else either
    if field.startswith("$"):
        if field == "$text":
            raise FilterError("$text stands at the top of a filter, or in an $and there, and nowhere else")
        raise FilterError(f"unknown operator {field}: at this place stands a field, $and, $or or $nor")
    if not isinstance(wanted, Mapping):
        return _equals(field, wanted)
    if not wanted:
        raise FilterError(f'the condition on "{field}" is empty: write {{"{field}": {{"$gte": 2020}}}}')
    return _joined([_operation(field, name, value) for name, value in wanted.items()], "AND", empty="1")


def _operation(field: str, name: object, value: object) -> Condition:
    if name in COMPARISONS:
        return _compare(field, COMPARISONS[str(name)], value)
    operation = _OPERATIONS.get(str(name))
    if operation is None:
        known = ", ".join(sorted([*COMPARISONS, *_OPERATIONS]))
        raise FilterError(f'unknown operator {name!r} on "{field}": there are {known}')
    return operation(field, value)


def _some_item(field: str, test: str, *values: str) -> Condition:
    """True when the field's value, or an item of its list, passes `test`, SQL over `type` and `value`."""
    if field in COLUMNS:
        return Condition(f"(SELECT {test} FROM (SELECT 'text' AS type, {COLUMNS[field]} AS value))", values)
    # The name is a bound value, not part of a JSON path, so no character in it means anything.
    sql = (
        "EXISTS (SELECT 1 FROM json_each(metadata) AS field WHERE field.key = ? AND CASE field.type "
        f"WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(field.value) WHERE {test}) ELSE {test} END)"
    )
    return Condition(sql, (field, *values, *values))


def _is_there(field: str) -> Condition:
    if field in COLUMNS:
        return Condition("1")
    return Condition("EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ?)", (field,))


def _scalar(field: str, value: object) -> Scalar:
    if isinstance(value, float) and not isfinite(value):
        raise FilterError(f'"{field}" is compared with {value}, which is not a finite number')
    if isinstance(value, str) and not is_storable(value):
        raise FilterError(f'"{field}" is compared with {value!r}, which holds what no text may hold')
    if value is None or isinstance(value, str | int | float):
        return value
    raise FilterError(f'"{field}" is compared with text, a number, true, false or null, not {value!r}')


def _equals(field: str, value: object) -> Condition:
    return _among(field, [value])


def _compare(field: str, sign: str, value: object) -> Condition:
    wanted = _scalar(field, value)
    if wanted is None or isinstance(wanted, bool):
        raise FilterError(
            f'"{field}" {sign} {json.dumps(wanted)} has no meaning: compare with text or a number'
        )
    types = "('text')" if isinstance(wanted, str) else "('integer', 'real')"
    # Both sides come out of JSON, so that SQLite reads both numbers alike.
    test = f"(type IN {types} AND value {sign} json_extract(?, '$'))"
    return _some_item(field, test, json.dumps(wanted))


def _among(field: str, values: object) -> Condition:
    if not isinstance(values, list | tuple | set | frozenset):
        raise FilterError(f'$in and $nin on "{field}" take a list, not {values!r}')
    wanted = [_scalar(field, value) for value in values]
    texts = [value for value in wanted if isinstance(value, str)]
    numbers = [value for value in wanted if isinstance(value, int | float) and not isinstance(value, bool)]
    constants = [json.dumps(value) for value in wanted if value is None or isinstance(value, bool)]
    # One parameter a type, however long the list: SQLite bounds how many there may be.
    test = (
        "(type = 'text' AND value IN (SELECT value FROM json_each(?))"
        " OR type IN ('integer', 'real') AND value IN (SELECT value FROM json_each(?))"
        " OR type IN (SELECT value FROM json_each(?)))"
    )
    among = _some_item(field, test, json.dumps(texts), json.dumps(numbers), json.dumps(constants))
    return among if None not in wanted else _joined([among, _negated(_is_there(field))], "OR", empty="0")


def _exists(field: str, wanted: object) -> Condition:
    if not isinstance(wanted, bool):
        raise FilterError(f'$exists on "{field}" is true or false, not {wanted!r}')
    return _is_there(field) if wanted else _negated(_is_there(field))


def _not(field: str, wanted: object) -> Condition:
    if not isinstance(wanted, Mapping):
        raise FilterError(f'$not on "{field}" takes an object such as {{"$gt": 5}}, not {wanted!r}')
    return _negated(_clause(field, wanted))


_OPERATIONS: dict[str, Callable[[str, object], Condition]] = {
    "$eq": _equals,
    "$ne": lambda field, value: _negated(_equals(field, value)),
    "$in": _among,
    "$nin": lambda field, values: _negated(_among(field, values)),
    "$exists": _exists,
    "$not": _not,
}
