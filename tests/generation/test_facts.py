"""Facts: what is there passes in any spelling, what is not is named."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rag.generation.facts import check_facts
from rag.generation.quantities import quantities

THERE = [
    ("The limit is 42 euros.", "The limit is €42."),
    ("It cost $1577.00.", "It cost 1,577 dollars."),
    ("About 1.2 million people live there.", "1,234,567 people live there."),
    ("Sales rose 40%.", "Sales rose by forty per cent."),
    ("Sales rose by 4.2 percent.", "Sales rose by 4.23 %."),
    ("It opened on 12 March 2024.", "Opened 2024-03-12."),
    ("It opened on March 12, 2024.", "Opened 12.03.2024."),
    ("It opened in March 2024.", "It opened on March 5, 2024."),
    ("It opened in 2024.", "It opened on March 5, 2024."),
    ("It happened in the 1990s.", "It happened in 1994."),
    ("The 21st century began.", "The twenty-first century began."),
    ("Up to 2,000 people came.", "2000 people came."),
    ("World War II ended.", "World War 2 ended."),
    ("They paid $5 million.", "They paid 5,000,000 dollars."),
    ("They paid £5m.", "They paid 5,000,000 pounds."),
    ("The bridge is 412 m long.", "The bridge is 412 metres long."),
    ("The bridge is 412m long.", "The bridge is 412 metres long."),
    ("It has 10k users.", "It has 10,000 users."),
    ("It blocks interleukin-2 and OCT3/4.", "It blocks the interleukin and OCT3."),
    ("Lack of light harms the plant.", "Plants without light are harmed."),
    ('They call it "shore leave."', "It is known as shore leave among them."),
    ('Thomas "Tom" Hale wrote "The Low Road".', "Thomas (Tom) Hale wrote The Low Road."),
    ("It takes 10-12 days.", "It takes 10 to 12 days."),
    ("It closes at 2:30 pm.", "It closes at 14:30."),
    ("No later than 5 days after.", "At most five days after."),
    ("Two of them signed [3].", "Anna and Peter signed."),
    ("1. The limit is 42.", "The limit is 42."),
    ("He met Anna Karenina in Paris.", "He met Anna in Paris, with Ms Karenina."),
    ("The WHO said so.", "The World Health Organization said so."),
    ("The World Health Organization said so.", "The WHO said so."),
    ("The French minister resigned.", "The minister of France resigned."),
    ("The Canadian team won.", "The team of Canada won."),
    ("Employees receive it.", "Staff receive it."),
    ("Der Hund ist nicht im Haus von Peter Müller.", "Etwas anderes."),
    ('He said "we will win the war".', "He said: “We will win\nthe war, and soon.”"),
    ("Staff may not leave later than noon.", "Staff may leave no later than noon, not after."),
    ("José lives in Zürich.", "Jose lives in Zurich."),
]

MISSING = [
    ("The limit is 42 euros.", "The limit is 24 euros.", "42"),
    ("1,234,567 people came.", "1.2 million people came.", "1,234,567"),
    ("It opened on 12 March 2024.", "It opened on 13 March 2024.", "12 March 2024"),
    ("It opened in March 2024.", "It opened in May 2024.", "March 2024"),
    ("It opened in 2024.", "It opened in 2023.", "2024"),
    ("Notice is three weeks.", "Notice is 3 months.", "three weeks"),
    ("Notice is three weeks.", "Notice is two weeks.", "three"),
    ("It weighs 5 kg.", "It is 5 km long.", "5 kg"),
    ("It closes at 3 pm.", "It closes at 14:30.", "3 pm"),
    ("It grew by 12 percent.", "It grew by 12 people.", "12 percent"),
    ("He met Anna Karenina in London.", "He met Anna Karenina in Paris.", "London"),
    ("Peter Falk wrote the log at sea.", "Anna Holm wrote the log at sea. Peter Falk signed it.", "Holm"),
    ("The prize went to NASA.", "The prize went to the navy.", "NASA"),
    ('He said "we will win the war".', "He said: we will lose the war.", "we will win the war"),
    ("Staff may not smoke on deck.", "Staff may smoke on deck.", "opposite"),
    ("Staff may smoke on deck.", "Staff may not smoke on deck.", "opposite"),
    ("Sales were higher in 2020 than before.", "Sales were lower in 2020 than before.", "higher"),
    ("The drug increased survival of mice.", "The drug decreased survival of mice.", "increased"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "evidence"), THERE)
def test_what_is_there_in_another_spelling_is_no_fault(claim, evidence):
    assert check_facts(claim, [evidence]).faults == ()


@pytest.mark.parametrize(("claim", "evidence", "named"), MISSING)
def test_what_is_missing_is_named(claim, evidence, named):
    faults = check_facts(claim, [evidence]).faults
    assert len(faults) == 1
    assert named in faults[0]


def test_a_name_and_a_year_of_the_question_need_no_proof():
    said = "In 2019 Rosalind Nakamura became head of the yard."
    evidence = ["She became head of the yard."]
    assert len(check_facts(said, evidence).faults) == 2
    assert check_facts(said, evidence, known=["What did Rosalind Nakamura do in 2019?"]).faults == ()


def test_the_parts_of_a_date_may_stand_apart():
    assert (
        check_facts("It opened on 12 March 2024.", ["2024 in review", "It opened on 12 March."]).faults == ()
    )
    assert (
        check_facts("It opened on 12 March 2024.", ["2023 in review", "It opened on 12 March."]).faults != ()
    )


def test_dates_that_are_ambiguous_are_read_both_ways():
    (date,) = quantities("on 03/04/2024").dates
    assert {(date.month, date.day), date.alternative} == {(3, 4), (4, 3)}
    assert check_facts("It opened on 3 April 2024.", ["Opened 03/04/2024."]).faults == ()
    assert check_facts("It opened on 4 March 2024.", ["Opened 03/04/2024."]).faults == ()
    assert check_facts("It opened on 5 March 2024.", ["Opened 03/04/2024."]).faults != ()


@given(st.integers(10, 10**9), st.randoms(use_true_random=False))
def test_a_number_whose_digits_change_places_is_always_found(number, random):
    digits = list(str(number))
    random.shuffle(digits)
    changed = int("".join(digits))
    assume(changed != number)
    evidence = f"The count was {number:,} items in the end."
    assert check_facts(f"The count was {number} items in the end.", [evidence]).faults == ()
    assert check_facts(f"The count was {changed} items in the end.", [evidence]).faults != ()
    assert check_facts(f"The count was {changed:,} items in the end.", [evidence]).faults != ()


DATES = st.dates(min_value=date(1000, 1, 1))


@given(DATES, DATES, st.sampled_from(["%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y"]))
def test_a_date_is_found_in_each_of_its_forms_and_no_other_date_is(one, other, form):
    assume(one != other)
    evidence = f"The treaty was signed on {one.strftime(form)} at sea."
    assert check_facts(f"The treaty was signed on {one:%d %B %Y}.", [evidence]).faults == ()
    assert check_facts(f"The treaty was signed on {other:%d %B %Y}.", [evidence]).faults != ()


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_checked_and_a_text_has_all_its_own_numbers_and_dates(claim, evidence):
    check_facts(claim, [evidence])
    checked = check_facts(claim, [claim])
    assert not checked.missing_numbers
    assert not checked.missing_dates


@pytest.mark.parametrize(
    ("claim", "evidence", "question"),
    [
        ("It was raised to 900 euros.", "It was raised to 500 euros.", "Was it raised to 900 euros?"),
        ("Leave lasts 26 weeks.", "Leave lasts 20 weeks.", "Does leave last 26 weeks?"),
        ("It opened on 5 May 2021.", "It opened on 7 June 2019.", "Did it open on 5 May 2021?"),
    ],
)
def test_what_a_question_claims_is_not_proven_by_being_asked(claim, evidence, question):
    assert check_facts(claim, [evidence], known=[question]).faults


@pytest.mark.parametrize(
    "odd", ["It was made on 12 Auguſt 1750.", "ſix ſhips", "aprıl 12 2020", "fıve", "APRİL 12 2020"]
)
def test_letters_that_are_searched_for_as_others_are_read_as_those(odd):
    check_facts(odd, [odd])
