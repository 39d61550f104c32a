"""Three components that Streamlit lacks, and the style sheets of the page.

A button copies the link; links open a lesson within the session; the legend of the charts has a
slider to the step of the profiles. Each has its HTML, CSS and JavaScript beside this file.
"""

from collections.abc import Mapping
from importlib.resources import files


def read_component(name: str) -> Mapping[str, str]:
    """Return the files of one component, by their kind."""
    folder = files(__name__)
    return {
        kind: (folder / f"{name}.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    }


COMPONENTS = {name: read_component(name) for name in ("copy_link", "links", "legend")}
