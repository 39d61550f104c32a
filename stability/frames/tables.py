"""The pictures of a bench as tables that a person reads, or hears: the same medians, in plain columns."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stability.catalogues.schemes import scheme_title
from stability.engine.runs import Run
from stability.frames.arrow import DEPTH_QUANTITIES
from stability.frames.depth import profile_table
from stability.frames.product import product_tables
from stability.frames.tidy import prediction_table
from stability.frames.training import curve_table, held_out_table
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.theory.prediction import predict

PREDICTED_QUANTITIES = "signal", "signal_gradient"


def step_frame(run: Run, count: int) -> pd.DataFrame:
    """The training chart, a row for each scheme and step that it draws: medians over the replicates, null what is not finite.

    Columns: scheme (its title), step, loss, test_loss, accuracy, test_accuracy, gradient_norm; the held-out ones at few steps.
    """
    quantities = ["loss", "accuracy", "gradient_norm"]
    frame = curve_table(run, count).select(["scheme", "step", *quantities]).to_pandas()
    tested = held_out_table(run, count).to_pandas().rename(columns={"loss": "test_loss", "accuracy": "test_accuracy"})
    frame = frame.merge(tested, on=["scheme", "step"], how="outer")
    frame = in_order(frame, run.experiment, "step")
    return frame[["scheme", "step", "loss", "test_loss", "accuracy", "test_accuracy", "gradient_norm"]]


def layer_frame(run: Run, count: int, moment: int) -> pd.DataFrame:
    """The depth chart at the step `moment`, or the newest before it: a row for each scheme and layer, and what theory foresaw.

    Columns: scheme (its title), layer, step, signal, signal_gradient, weight_gradient; predicted_ of the first two at step 0.
    """
    frame = profile_table(run, min(count, moment + 1)).select(["scheme", "layer", "step", *DEPTH_QUANTITIES]).to_pandas()
    foreseen = prediction_table(predict(run.experiment)).select(["scheme", "layer", *PREDICTED_QUANTITIES]).to_pandas()
    foreseen = foreseen.rename(columns={name: f"predicted_{name}" for name in PREDICTED_QUANTITIES})
    return in_order(frame.merge(foreseen, on=["scheme", "layer"], how="left"), run.experiment, "layer")


def in_order(frame: pd.DataFrame, e: Experiment, along: str) -> pd.DataFrame:
    """Schemes as they stand in the experiment, by their titles."""
    place = frame["scheme"].map({scheme: index for index, scheme in enumerate(e.schemes)})
    ordered = frame.assign(place=place).sort_values(["place", along], ignore_index=True).drop(columns="place")
    return ordered.assign(scheme=ordered["scheme"].map(scheme_title))


def norm_frame(product: Product, norms: Sequence[np.ndarray]) -> pd.DataFrame:
    """The chart of a product's norm: a row for each number of further factors that it draws, log10 of everything.

    Columns: factor, low, median, high (nine of ten products lie between low and high), law (the mean; null: none is known).
    """
    tables = product_tables(product, norms)
    known = tables["law"].select(["factor", "frobenius"]).to_pandas().rename(columns={"frobenius": "law"})
    frame = tables["growth"].to_pandas().merge(known, on="factor", how="left")
    return frame[["factor", "low", "median", "high", "law"]]
