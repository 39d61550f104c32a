"""Probes that look into a network, one question a file: Jacobian, symmetries, saturation, formats.

They may import `engine` and everything below it, but neither `theory` nor `diagnosis`.
To add a probe, add a file here, its table in `frames`, a chart in `charts`, its sentences and a
section in `page`.
"""
