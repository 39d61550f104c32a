"""The experiment of a program and the spelling of its format, which all its sections share."""

import ast
from dataclasses import dataclass
from typing import Any

import torch

from stability.catalogues.scheme_entry import Scheme
from stability.records.experiment import Experiment
from stability.script.definitions import Definitions


@dataclass(frozen=True)
class Parts:
    """The experiment of one scheme, and what its program takes over from the library."""

    experiment: Experiment
    definitions: Definitions

    @property
    def row(self) -> Scheme:
        return self.experiment.scheme_rows[0]

    @property
    def is_rounded(self) -> bool:
        return self.experiment.number_format.is_rounded

    @property
    def stores_rounded(self) -> bool:
        """True if weights and the optimizer's numbers, too, are those of a format of 16 bits."""
        return self.is_rounded and self.experiment.number_format.master_dtype is None

    @property
    def dtype(self) -> str:
        """The number format as torch spells it, `torch.float16`."""
        return str(self.experiment.number_format.dtype)

    @property
    def cast(self) -> str:
        """The calls that bring a tensor to the format, in the dtype in which it is computed."""
        if self.is_rounded:
            return f".to({self.dtype}).float()"
        return "" if self.is_double else ".float()"

    @property
    def is_double(self) -> bool:
        """True in the format in which everything is drawn."""
        return self.experiment.number_format.dtype == torch.float64

    @property
    def stored(self) -> str:
        """The argument that gives parameters the dtype of 16 bits in which they are stored."""
        return f", dtype={self.dtype}" if self.stores_rounded else ""

    def rounded(self, result: str) -> str:
        """Return an expression, rounded where the format is computed in a wider one."""
        return f"round_to_format({result})" if self.is_rounded else result


def variable(name: str) -> Any:
    """Return what stands for a value that is known when the program runs."""
    return ast.Name(name, ast.Load())


def expression(text: str) -> Any:
    """Return what stands for a value that this expression has when the program runs."""
    return ast.parse(text, mode="eval").body
