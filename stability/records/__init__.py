"""The settings that a link spells: frozen dataclasses of plain values, and the knobs of their settings.

It may import the leaves and `catalogues`. To add a setting, add a field with its knob to the record
that owns it; checks, link, control, help and tests follow.
"""
