import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.api.fields import parse_metadata, parse_where
from rag.errors import FilterError, InputError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ([], None),
        (["team=hr"], {"team": "hr"}),
        (["year=2020"], {"year": 2020}),
        (['year="2020"'], {"year": "2020"}),
        (["public=true"], {"public": True}),
        (["gone=null"], {"gone": None}),
        (["year >= 2020"], {"year": {"$gte": 2020}}),
        (["year<=2020"], {"year": {"$lte": 2020}}),
        (["year>2020"], {"year": {"$gt": 2020}}),
        (["year<2020"], {"year": {"$lt": 2020}}),
        (["team!=hr"], {"team": {"$ne": "hr"}}),
        (['team=["hr", "it"]'], {"team": {"$in": ["hr", "it"]}}),
        (['team!=["hr"]'], {"team": {"$nin": ["hr"]}}),
        (["formula=a=b"], {"formula": "a=b"}),
        (["size=NaN"], {"size": "NaN"}),
        (["note="], {"note": ""}),
        (['{"$or": [{"a": 1}, {"b": 2}]}'], {"$or": [{"a": 1}, {"b": 2}]}),
        (["team=hr", "year>1"], {"$and": [{"team": "hr"}, {"year": {"$gt": 1}}]}),
    ],
)
def test_conditions_are_read_as_meant(typed: list[str], meant: object) -> None:
    assert parse_where(typed) == meant


@pytest.mark.parametrize("typed", ["team", "=hr", "", '{"a": ', "{nothing}"])
def test_what_is_no_condition_is_refused(typed: str) -> None:
    with pytest.raises(FilterError):
        parse_where([typed])


@given(st.text())
def test_any_text_is_a_filter_or_a_filter_error(typed: str) -> None:
    with contextlib.suppress(FilterError):
        assert isinstance(parse_where([typed]), dict)


def test_metadata_is_typed() -> None:
    typed = ["team=hr", "year=2020", 'tags=["a", "b"]', "url=http://x/?a=b", 'odd={"a": 1}']
    assert parse_metadata(typed) == {
        "team": "hr",
        "year": 2020,
        "tags": ["a", "b"],
        "url": "http://x/?a=b",
        "odd": '{"a": 1}',
    }


@pytest.mark.parametrize("typed", [["team"], ["=hr"], ["a=1", "a=2"]])
def test_what_is_no_metadata_is_refused(typed: list[str]) -> None:
    with pytest.raises(InputError):
        parse_metadata(typed)
