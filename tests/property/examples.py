"""How many examples laws draw whose examples take long."""

all_of_them = False
"""Whether the long tests run too; set before tests are collected."""


def examples(count: int) -> int:
    """Draw half of so many, or all if the long tests run too; each run draws others."""
    return count if all_of_them else count // 2
