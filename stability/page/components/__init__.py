"""What Streamlit has not, each as its HTML, CSS and JavaScript: a button that copies the link, links that open a lesson
without a new visit, and the legend of the charts with a slider to the step of the profiles.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

KINDS = "html", "css", "js"


def part(name: str) -> Mapping[str, str]:
    """The files of one component, by their kind."""
    folder = files(__name__)
    return MappingProxyType({kind: (folder / f"{name}.{kind}").read_text(encoding="utf-8") for kind in KINDS})


PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType({name: part(name) for name in ("copy_link", "links", "strip")})
