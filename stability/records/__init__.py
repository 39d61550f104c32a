"""Settings as a link spells them: frozen dataclasses of plain values, and their knobs.

It may import the leaves `text` and `randomness`, and `catalogues`. To add a setting, add a field
with its knob to the record that owns it; checks, link, control, help and tests follow.
"""
