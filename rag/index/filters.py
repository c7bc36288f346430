"""`where` conditions -> one SQL condition over the documents, and so one bitmap for every leg.

The language is MongoDB's: a field equals a value, or an operator's object;
`$and`, `$or`, `$nor` combine. A list field matches when one of its items does.
`$ne` and `$nin` are true of a document that lacks the field; numbers compare
with numbers and text with text only. `document_id`, `source` and `title` are
fields of every document, whatever its metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rag.errors import FilterError
from rag.types import Filter

COLUMNS = {"document_id": "id", "source": "source", "title": "title"}
COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

Value: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL over the table `documents` and the values of its question marks."""

    sql: str
    values: tuple[Value, ...] = ()


def compile_filter(where: Filter) -> Condition:
    """The SQL condition that is true of the documents inside `where`.

    Raises:
        FilterError: `where` is not a filter, or names an operator that does not exist.
    """
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
    if not isinstance(field, str) or '"' in field or "\0" in field:
        raise FilterError(f"a field's name is text without quotation marks, not {field!r}")
    if field in ("$and", "$or", "$nor"):
        if not isinstance(wanted, list | tuple) or not wanted:
            raise FilterError(f"{field} takes a list of filters, not {wanted!r}")
        parts = [compile_filter(part) for part in wanted]
        either = _joined(parts, "AND" if field == "$and" else "OR", empty="1")
        return _negated(either) if field == "$nor" else either
    if field.startswith("$"):
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


def _some_item(field: str, test: str, *values: Value) -> Condition:
    """True when the field's value, or an item of its list, passes `test` (SQL over `{value}`)."""
    if field in COLUMNS:
        return Condition(test.format(value=COLUMNS[field]), values)
    sql = f"EXISTS (SELECT 1 FROM json_each(metadata, ?) WHERE {test.format(value='value')})"
    return Condition(sql, (f'$."{field}"', *values))


def _scalar(field: str, value: object) -> Value:
    if value is None or isinstance(value, str | int | float):
        return value
    raise FilterError(f'"{field}" is compared with text, a number, true, false or null, not {value!r}')


def _equals(field: str, value: object) -> Condition:
    wanted = _scalar(field, value)
    if wanted is None:
        return _negated(_some_item(field, "{value} IS NOT NULL"))
    return _some_item(field, "{value} = ?", wanted)


def _compare(field: str, sign: str, value: object) -> Condition:
    wanted = _scalar(field, value)
    if wanted is None:
        raise FilterError(f'"{field}" {sign} null has no meaning: compare with text or a number')
    kinds = "('text')" if isinstance(wanted, str) else "('integer', 'real')"
    return _some_item(field, f"typeof({{value}}) IN {kinds} AND {{value}} {sign} ?", wanted)


def _among(field: str, values: object) -> Condition:
    if not isinstance(values, list | tuple | set | frozenset):
        raise FilterError(f'$in and $nin on "{field}" take a list, not {values!r}')
    wanted = [_scalar(field, value) for value in values]
    given = [value for value in wanted if value is not None]
    # One parameter, however long the list: SQLite bounds how many there may be.
    among = _some_item(field, "{value} IN (SELECT value FROM json_each(?))", json.dumps(given))
    return among if len(given) == len(wanted) else _joined([among, _equals(field, None)], "OR", empty="0")


def _exists(field: str, wanted: object) -> Condition:
    if not isinstance(wanted, bool):
        raise FilterError(f'$exists on "{field}" is true or false, not {wanted!r}')
    if field in COLUMNS:
        return Condition(str(int(wanted)))
    there = Condition("json_type(metadata, ?) IS NOT NULL", (f'$."{field}"',))
    return there if wanted else _negated(there)


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
