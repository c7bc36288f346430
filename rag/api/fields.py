"""`--where` and `--metadata` as they are typed -> filters and metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NoReturn

from rag.errors import FilterError, InputError
from rag.types import Filter, Metadata

_CONDITION = re.compile(r"([^=<>!]+?)\s*(!=|>=|<=|==?|>|<)\s*(.*)", re.DOTALL)
_OPERATORS = {"!=": "$ne", ">=": "$gte", "<=": "$lte", ">": "$gt", "<": "$lt"}


def parse_where(conditions: Sequence[str]) -> Filter | None:
    """Read conditions that must all hold; None where there are none.

    Each is `field=value`, with `!=`, `>=`, `<=`, `>` or `<` for `=`, or a whole filter in JSON. A value
    that is JSON is read as that (`2020`, `true`, `"2020"`, `["hr", "it"]`: one of them), any other as text.

    Raises:
        FilterError: One of them is neither.
    """
    filters = [_condition(text) for text in conditions]
    return {"$and": filters} if len(filters) > 1 else filters[0] if filters else None


def _condition(text: str) -> Filter:
    if text.lstrip().startswith("{"):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FilterError(f"the filter {text} is not JSON: {error}") from error
        if not isinstance(whole, dict):
            raise FilterError(f"the filter {text} is not a JSON object")
        return whole
    parts = _CONDITION.fullmatch(text.strip())
    if parts is None:
        raise FilterError(f"{text!r} is not a condition: write field=value, field>=value or a JSON filter")
    field, sign, value = parts[1], parts[2], _value(parts[3])
    if sign in ("=", "=="):
        return {field: {"$in": value} if isinstance(value, list) else value}
    if sign == "!=" and isinstance(value, list):
        return {field: {"$nin": value}}
    return {field: {_OPERATORS[sign]: value}}


def parse_metadata(pairs: Sequence[str]) -> Metadata:
    """Read `field=value` pairs; a value that is JSON is read as that, any other as text.

    Raises:
        InputError: One of them is not a pair, or a field comes twice.
    """
    metadata = {}
    for pair in pairs:
        field, sign, value = pair.partition("=")
        field = field.strip()
        if not (sign and field):
            raise InputError(f"{pair!r} is not metadata: write field=value, such as team=hr")
        if field in metadata:
            raise InputError(f'the metadata {field!r} comes twice: write a list, such as {field}=["a", "b"]')
        metadata[field] = _value(value.strip())
    return metadata


def _value(text: str) -> str | int | float | bool | list[str] | None:
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict) else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
