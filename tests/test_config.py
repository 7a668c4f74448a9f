"""Settings: few, documented as they are, told with where they came from, and keys are never told."""

import dataclasses

import pytest

from eval.readme import SETTINGS, renewed, settings_table
from rag import config, doctor
from rag.config import Settings, described
from rag.errors import UsageError


@pytest.fixture
def environment(monkeypatch):
    """Set variables as if the process began with them; everything of Attest's is unset before."""

    def given(**variables):
        for name in (*(v for one in described(Settings.model_construct()) for v in one.variables), *variables):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        config.settings.cache_clear()
        return config.settings

    yield given
    config.settings.cache_clear()


def told(read, *arguments):
    return {one.name: one for one in described(read(), arguments)}


def test_there_are_few_and_the_table_of_the_documentation_has_them_all():
    assert len(Settings.model_fields) <= 20
    assert all(field.description for field in Settings.model_fields.values())
    assert renewed(SETTINGS) == SETTINGS.read_text(encoding="utf-8"), "run: python -m eval.readme"
    assert [row.split("`")[1] for row in settings_table().splitlines()[2:]] == list(Settings.model_fields)


def test_where_a_value_came_from(environment):
    found = told(
        environment(ATTEST_THREADS="2", attest_lock_wait="3", ATTEST_SHELF="", OPENAI_BASE_URL="http://a/v1"), "llm"
    )
    assert {name: one.origin for name, one in found.items() if one.origin != "default"} == {
        "threads": "environment variable ATTEST_THREADS",
        "lock_wait": "environment variable ATTEST_LOCK_WAIT",
        "openai_base_url": "environment variable OPENAI_BASE_URL",
        "llm": "argument",
    }
    assert (found["threads"].value, found["lock_wait"].value, found["shelf"].value) == ("2", "3.0", "shelf")


def test_the_variable_that_is_named_is_the_one_that_counts(environment):
    read = environment(OPENAI_BASE_URL="http://a/v1", ATTEST_OPENAI_BASE_URL="http://b/v1")
    found = told(read)["openai_base_url"]
    assert (found.value, found.origin) == ("http://b/v1", "environment variable ATTEST_OPENAI_BASE_URL")


def test_no_key_is_told(environment):
    read = environment(
        OPENAI_API_KEY="hush-1", OPENAI_BASE_URL="https://me:hush-2@models.example/v1",
        ATTEST_SERVICES='{"arxiv": "http://me:hush-3@127.0.0.1/x"}',
    )  # fmt: skip
    lines, _ = doctor.report(read())
    assert "hush" not in " ".join([*lines, *(str(dataclasses.astuple(one)) for one in described(read()))])
    assert "setting     openai_api_key = set (environment variable OPENAI_API_KEY)" in lines
    assert "setting     openai_base_url = https://...@models.example/v1 (environment variable OPENAI_BASE_URL)" in lines


def test_a_slip_in_a_name_is_told(environment):
    lines, _ = doctor.report(environment(ATTEST_SHELFF="x")())
    assert any("ATTEST_SHELFF is no setting" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        ("ATTEST_THREADS", "hush", "encoder calls"),
        ("ATTEST_SERVICES", "hush", "as JSON"),
        ("ATTEST_SERVICES", '{"hush": "x"}', "as JSON"),
        ("ATTEST_LLM_LAYOUT", "hush", "order of the passages"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable_and_not_shown(environment, name, value, meaning):
    with pytest.raises(UsageError, match=f"{name} will not do") as error:
        environment(**{name: value})()
    assert meaning in error.value.hint
    assert "hush" not in f"{error.value} {error.value.hint} {error.value.__cause__}"
