"""All networks that a diagnosis is judged by: most of them it was not built for."""

from importlib import import_module

from network_cases import CASES

for part in ("known_networks", "fresh_sick_wiring", "fresh_sick_numbers", "fresh_healthy"):
    import_module(part)  # each adds its cases

SICK = {key: case for key, case in CASES.items() if case.want}
HEALTHY = {key: case for key, case in CASES.items() if not case.want}
