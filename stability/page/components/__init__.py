"""Six components that Streamlit lacks, and the style sheets of the page.

The playback shows any step of a run; the legend of the charts isolates a scheme; a button copies
the link; links open a lesson within the session; cells say which one of a map was clicked; an
unseen one wakes the script when the server is back and names the language. Each has its HTML,
CSS and JavaScript beside this file; `shared_value.js` stands before all of them.
"""

from collections.abc import Mapping
from importlib.resources import files


def read_component(name: str) -> Mapping[str, str]:
    """Return the files of one component, by their kind."""
    html, css, js, shared = (
        (files(__name__) / file).read_text(encoding="utf-8")
        for file in (f"{name}.html", f"{name}.css", f"{name}.js", "shared_value.js")
    )
    return {"html": html, "css": css, "js": shared + js}


NAMES = "playback", "legend", "copy_link", "links", "cells", "wake"
COMPONENTS = {name: read_component(name) for name in NAMES}
