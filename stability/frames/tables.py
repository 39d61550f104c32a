"""The charts of a bench as tables for people to read or hear: the same medians in plain columns."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.cure_search import describe_change
from stability.diagnosis.trials import Cure
from stability.engine.runs import Run
from stability.frames.arrow import DEPTH_QUANTITIES
from stability.frames.depth import profile_table
from stability.frames.product import product_tables
from stability.frames.tidy import prediction_table
from stability.frames.training import curve_table, held_out_table
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.text import capitalize_first
from stability.theory.prediction import predict


def step_frame(run: Run, count: int) -> pd.DataFrame:
    """Return the training chart, a row for each scheme and step that it draws.

    Medians over the replicates, null where not finite; held-out ones at few steps. Columns:
    scheme (its title), step, loss, test_loss, accuracy, test_accuracy, gradient_norm.
    """
    lines = curve_table(run, count).select(["scheme", "step", "loss", "accuracy", "gradient_norm"])
    renamed = ["scheme", "step", "test_loss", "test_accuracy"]
    held_out = held_out_table(run, count).rename_columns(renamed)
    frame = lines.to_pandas().merge(held_out.to_pandas(), on=["scheme", "step"], how="outer")
    quantities = ["loss", "test_loss", "accuracy", "test_accuracy", "gradient_norm"]
    return order_by_scheme(frame, run.experiment, "step")[["scheme", "step", *quantities]]


def layer_frame(run: Run, count: int, step_shown: int) -> pd.DataFrame:
    """Return the depth chart at the step shown, or the newest before it, beside the prediction.

    Columns: scheme (its title), layer, step, signal, signal_gradient, weight_gradient,
    predicted_signal, predicted_signal_gradient (both at step 0).
    """
    profiles = profile_table(run, min(count, step_shown + 1))
    predicted = prediction_table(predict(run.experiment))
    names = ["scheme", "layer", "signal", "signal_gradient"]
    renamed = ["scheme", "layer", "predicted_signal", "predicted_signal_gradient"]
    predictions = predicted.select(names).rename_columns(renamed).to_pandas()
    frame = profiles.select(["scheme", "layer", "step", *DEPTH_QUANTITIES]).to_pandas()
    frame = frame.merge(predictions, on=["scheme", "layer"], how="left")
    return order_by_scheme(frame, run.experiment, "layer")


def order_by_scheme(frame: pd.DataFrame, e: Experiment, along: str) -> pd.DataFrame:
    """Return the rows in the order of the experiment's schemes, which get their titles."""
    index = frame["scheme"].map({scheme: index for index, scheme in enumerate(e.schemes)})
    ordered = frame.assign(index=index).sort_values(["index", along], ignore_index=True)
    return ordered.assign(scheme=ordered["scheme"].map(scheme_title)).drop(columns="index")


def norm_frame(product: Product, norms: Sequence[np.ndarray]) -> pd.DataFrame:
    """Return the chart of a product's norm, a row for each number of further factors; all in log10.

    Columns: factor, low, median, high (nine of ten products lie between low and high), law (the
    mean; null where none is known).
    """
    tables = product_tables(product, norms)
    law = tables["law"].select(["factor", "frobenius"]).rename_columns(["factor", "law"])
    frame = tables["growth"].to_pandas().merge(law.to_pandas(), on="factor", how="left")
    return frame[["factor", "low", "median", "high", "law"]]


def cure_frame(tried: Sequence[Cure]) -> pd.DataFrame:
    """Return a row for each change that was tried.

    Columns: change, verdict, pytorch (str); loss (float64, held out, at the end), null where it is
    not finite.
    """
    columns = {
        "change": [capitalize_first(describe_change(cure.remedy)) for cure in tried],
        "verdict": [_(cure.verdict.word) for cure in tried],
        "loss": [cure.loss if math.isfinite(cure.loss) else math.nan for cure in tried],
        "pytorch": [cure.remedy.pytorch for cure in tried],
    }
    return pd.DataFrame(columns)
