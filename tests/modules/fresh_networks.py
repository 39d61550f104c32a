"""Networks to judge a diagnosis by, none of which it was built for: see fresh_cases.py."""

from importlib import import_module

from fresh_cases import CASES, KINDS, Case

for part in ("fresh_sick_wiring", "fresh_sick_numbers", "fresh_healthy"):
    import_module(part)  # each registers its cases

SICK = {key: case for key, case in CASES.items() if case.want}
HEALTHY = {key: case for key, case in CASES.items() if not case.want}

__all__ = ["HEALTHY", "KINDS", "SICK", "Case"]
