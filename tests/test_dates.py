"""When papers are from, as questions say it: which days pass, and which numbers are no dates."""

import calendar
import datetime
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.dates import read_dates

TODAY = datetime.date(2025, 7, 12)
OPERATORS = {"eq": operator.eq, "gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}
DAYS = st.dates(datetime.date(2000, 1, 1), datetime.date(2049, 12, 31))
YEARS = st.integers(1950, 2049)


def read(text):
    return read_dates(text, TODAY)[1]


def passes(text, day):
    """Whether a paper of this day meets the conditions that `text` states, of which there must be some."""
    conditions = read(text)
    assert conditions, text
    values = {"year": day.year, "date": day.isoformat()}
    return all(OPERATORS[how](values[field], value) for field, how, value in conditions)


@pytest.mark.parametrize(
    "text",
    [
        "papers from 2021", "papers in 2021", "papers of 2021", "papers dated 2021", "papers published during 2021", "the 2021 papers",
        "2021 ones", "2021 sorting papers", "papers that were released in 2021", "papers from the year of 2021", "sorting, 2021",
        "sorting (2021)", "2021", "papers from '21", "papers from ’21", "papers within 2021",
    ],
)  # fmt: skip
def test_a_year(text):
    assert read(text) == [("year", "eq", 2021)]


@pytest.mark.parametrize(("text", "year"), [("'24", 2024), ("'26", 2026), ("'27", 1927), ("'98", 1998), ("'00", 2000)])
def test_a_short_year_lies_no_further_than_next_year(text, year):
    assert read(f"papers from {text}") == [("year", "eq", year)]


@pytest.mark.parametrize(
    "text",
    [
        "papers from May 2021", "papers in may 2021", "papers from May, 2021", "papers of May of 2021", "papers from 2021-05",
        "papers published in May 2021", "papers from the beginning of May 2021",
    ],
)  # fmt: skip
def test_a_month(text):
    assert read(text) == [("date", "gte", "2021-05-01"), ("date", "lte", "2021-05-31")]


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_has_a_long_and_a_short_name(month):
    long, short = calendar.month_name[month], calendar.month_abbr[month]
    for name in (long, long.upper(), short, f"{short}."):
        assert read(f"papers from {name} 2021")[0] == ("date", "gte", f"2021-{month:02d}-01"), name


@given(DAYS)
def test_a_day_is_the_same_however_it_is_written(day):
    month, year = calendar.month_name[day.month], day.year
    only = [("date", "gte", day.isoformat()), ("date", "lte", day.isoformat())]
    written = (f"{day.day} {month} {year}", f"{month} {day.day}, {year}", f"the {day.day}th of {month} {year}")
    for text in (day.isoformat(), *written, f"{month} {day.day} {year}"):
        assert read(f"papers from {text}") == only, text


POINTS = st.one_of(
    st.integers(2001, 2048).map(str),
    DAYS.map(lambda day: f"{calendar.month_name[day.month]} {day.year}"),
    DAYS.map(lambda day: day.isoformat()),
)


@given(POINTS, DAYS)
def test_before_and_since_part_the_days_and_so_do_until_and_after(point, day):
    since, until = passes(f"papers since {point}", day), passes(f"papers until {point}", day)
    assert passes(f"papers before {point}", day) is not since
    assert passes(f"papers after {point}", day) is not until
    assert passes(f"papers from {point}", day) is (since and until)


@pytest.mark.parametrize(
    ("same", "texts"),
    [
        ("papers since 2021", ["starting in 2021", "as of 2021", "no earlier than 2021", "not before 2021", "2021 or later", "from 2021 on",
                               "2021 onwards", "2021 and newer", "papers on or after 2021", "from 2021 and up"]),
        ("papers until 2021", ["no later than 2021", "not after 2021", "up to 2021", "through 2021", "till 2021", "2021 or earlier",
                               "by the end of 2021", "papers on or before 2021", "2021 and before"]),
        ("papers after 2021", ["later than 2021", "newer than 2021", "more recent than 2021", "after the year 2021"]),
        ("papers before 2021", ["prior to 2021", "earlier than 2021", "older than 2021", "pre-2021 papers", "pre 2021 papers"]),
        ("papers since May 2021", ["no earlier than May 2021", "from May 2021 onwards", "May 2021 or later"]),
        ("papers from 2019 to 2021", ["between 2019 and 2021", "2019-2021", "2019–2021", "from 2019 until 2021", "from 2021 to 2019",
                                      "from 2019 through 2021", "between 2019 and 2021 (inclusive)"]),
        ("papers between 2022-03 and 2022-05", ["between March and May 2022", "from March 2022 to May 2022", "Mar to May 2022"]),
    ],
)  # fmt: skip
def test_wordings_of_one_bound(same, texts):
    assert read(same)
    assert {text: read(text) for text in texts} == dict.fromkeys(texts, read(same))


@given(YEARS, YEARS)
def test_a_range_has_both_its_ends_in_either_order(first, second):
    low, high = sorted((first, second))
    expected = [("year", "gte", low), ("year", "lte", high)] if low < high else [("year", "eq", low)]
    assert read(f"papers between {first} and {second}") == read(f"papers from {second}-{first}") == expected


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("papers from November 2021 to February 2022", ["2021-11-01", "2022-02-28"], ["2021-10-31", "2022-03-01"]),
        ("papers from March 2021 to 2023", ["2021-03-01", "2023-12-31"], ["2021-02-28", "2024-01-01"]),
        ("papers between 2021-05-04 and 2021-06-15", ["2021-05-04", "2021-06-15"], ["2021-05-03", "2021-06-16"]),
        ("papers between 4 May and 6 June 2021", ["2021-05-04", "2021-06-06"], ["2021-05-03", "2021-06-07"]),
    ],
)
def test_ranges_of_months_and_days(text, inside, outside):
    assert all(passes(text, datetime.date.fromisoformat(day)) for day in inside)
    assert not any(passes(text, datetime.date.fromisoformat(day)) for day in outside)


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("papers from this year", [("year", "eq", 2025)]),
        ("this year's papers", [("year", "eq", 2025)]),
        ("what came out last year", [("year", "eq", 2024)]),
        ("last year's papers", [("year", "eq", 2024)]),
        ("papers of the past three years", [("year", "gte", 2022)]),
        ("papers from the last 2 years", [("year", "gte", 2023)]),
        ("Within The Past Ten Years", [("year", "gte", 2015)]),
    ],
)
def test_years_told_from_today(text, conditions):
    assert read(text) == conditions
    assert read_dates(text, datetime.date(2030, 1, 1))[1] != conditions


@pytest.mark.parametrize(
    "text",
    [
        "a result on 2048 tokens", "trained on 2000 examples", "with 2019 questions", "a text of 1950 words", "2030 papers in total",
        "a gain of 2021.5", "in 2,000 runs", "a share of 2021%", "12021 cases from 12021", "papers from 1949", "papers from 2050",
        "papers from 2021-13", "march of the penguins", "papers in may", "papers may help", "nothing about time", "GPT-2021", "",
        "papers with 2021 authors",
    ],
)  # fmt: skip
def test_what_is_no_date_stays_in_the_text(text):
    assert read_dates(text, TODAY) == (text, [])


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("papers on birds from May 2021", "papers on birds"),
        ("papers published between 2019 and 2021 on birds", "papers on birds"),
        ("2024 ones on birds", "on birds"),
        ("birds since 2021, please", "birds , please"),
        ("papers on birds that were released no later than 4 May 2021", "papers on birds"),
    ],
)
def test_the_words_that_state_a_date_leave_the_text(text, rest):
    assert " ".join(read_dates(text, TODAY)[0].split()) == rest


@given(st.text(alphabet="0123456789 -'’/.,toandsincefrommay", max_size=40))
def test_any_text_is_read(text):
    rest, conditions = read_dates(text, TODAY)
    assert conditions or rest == text or "year" in text
    assert all(field in ("year", "date") and how in OPERATORS for field, how, _ in conditions)
