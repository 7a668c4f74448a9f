"""Conditions on metadata as SQL."""

from __future__ import annotations

import json
from typing import Any

from rag.errors import UsageError
from rag.index.database import Dialect, marks
from rag.types import Filters

# Filter fields and their columns; `organization` is matched as a case-insensitive part.
FIELDS = {
    "year": "year",
    "date": "date",
    "author_count": "author_count",
    "organization": "organization",
    "comment_count": "comment_count",
}
OPERATORS = {"eq": "=", "gte": ">=", "lte": "<=", "gt": ">", "lt": "<"}


def where(filters: Filters, dialect: Dialect) -> tuple[str, list[Any]]:
    """An SQL expression over the columns of `papers`, and the values of its marks; a paper without a field meets no
    condition on it.

    Raises:
        UsageError: an unknown field or operator.
    """
    parts, values = ["TRUE"], list[Any]()
    for field, operator, value in filters.conditions:
        if field == "id" and operator == "in":
            parts.append(f"id IN ({dialect.listed})")
            values.append(json.dumps(list(value)))
        elif (field, operator) == ("page", "eq"):  # a file or address it was read from
            parts.append(f"EXISTS (SELECT 1 FROM {dialect.sources} WHERE {dialect.file} = ?)")
            values.append(str(value))
        elif field in FIELDS and operator == "known":
            parts.append(f"{FIELDS[field]} IS {'NOT ' if value else ''}NULL")
        elif field not in FIELDS or (operator not in OPERATORS and (field, operator) != ("year", "in")):
            raise UsageError(
                f"unknown filter {field} {operator}",
                hint=f"fields: {', '.join(FIELDS)}, page; operators: {', '.join(OPERATORS)}, known",
            )
        elif field == "year" and operator == "in":
            years = list(value)
            parts.append(f"year IN ({marks(years)})" if years else "FALSE")
            values += years
        elif field in ("year", "author_count", "comment_count") and not isinstance(value, int):
            raise UsageError(
                f"filter {field} needs a whole number, not {value!r}", hint='such as {"year": {"gte": 2023}}'
            )
        elif field == "organization":
            parts.append(dialect.contains.format("organization"))
            values.append(str(value).casefold())
        else:
            parts.append(f"{FIELDS[field]} {OPERATORS[operator]} ?")
            values.append(str(value) if field == "date" else value)
    return " AND ".join(parts), values
