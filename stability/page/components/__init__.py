"""What Streamlit lacks, each as HTML, CSS and JavaScript, and the style sheets of the page.

Components: a button that copies the link; links that open a lesson within the session; the legend
of the charts with a slider to the step of the profiles.
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
