"""Conclusions from a run: indicators, forecasts, evidence, verdicts and their remedies.
It may import `engine` and everything beneath it, but neither `theory` nor `probes`. To add a
verdict, add a function to `findings` and its name to the order in which they are tried."""
