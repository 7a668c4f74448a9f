"""Conditions on metadata as SQL."""

from __future__ import annotations

import json
from typing import Any

from rag.errors import UsageError
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


def where(filters: Filters) -> tuple[str, list[Any]]:
    """An SQL expression over the columns of `papers`, and the values of its marks; a paper without a field meets no
    condition on it.

    Raises:
        UsageError: an unknown field or operator.
    """
    parts, values = ["1"], list[Any]()
    for field, operator, value in filters.conditions:
        if field == "id" and operator == "in":
            parts.append("id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(value)))
        elif (field, operator) == ("page", "eq"):  # a file or address it was read from
            parts.append(
                "EXISTS (SELECT 1 FROM json_each(record, '$.sources') s WHERE json_extract(s.value, '$.file') = ?)"
            )
            values.append(str(value))
        elif field in FIELDS and operator == "known":
            parts.append(f"{FIELDS[field]} IS {'NOT ' if value else ''}NULL")
        elif field not in FIELDS or (operator not in OPERATORS and (field, operator) != ("year", "in")):
            raise UsageError(
                f"unknown filter {field} {operator}",
                hint=f"fields: {', '.join(FIELDS)}, page; operators: {', '.join(OPERATORS)}, known",
            )
        elif field == "year" and operator == "in":
            parts.append("year IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(value)))
        elif field in ("year", "author_count", "comment_count") and not isinstance(value, int):
            raise UsageError(
                f"filter {field} needs a whole number, not {value!r}", hint='such as {"year": {"gte": 2023}}'
            )
        elif field == "organization":
            parts.append("instr(organization, ?)")
            values.append(str(value).casefold())
        else:
            parts.append(f"{FIELDS[field]} {OPERATORS[operator]} ?")
            values.append(value)
    return " AND ".join(parts), values
