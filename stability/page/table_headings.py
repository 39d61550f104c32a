"""The heads of the page's tables: label, format and help, as Streamlit's column_config has them."""

from typing import Any


def text_column(label: str, help: str = "", width: str | None = None) -> dict[str, Any]:
    """Return the head of a column of texts."""
    return {"label": label, "help": help or None, "width": width}


def number_column(label: str, format: str, help: str = "") -> dict[str, Any]:
    """Return the head of a column of numbers, which are written in `format`."""
    return text_column(label, help) | {"type_config": {"type": "number", "format": format}}


# fmt: off
TRIED_HEADINGS = {
    "settings": text_column("Settings", "What differs from the first visit's settings", "large"),
    "scheme": text_column("Initialization"),
    "loss": number_column("Final loss", "%.3g"),
    "test_accuracy": number_column("Held-out accuracy", "percent"),
    "first_gradient": number_column("Gradient, first layer", "scientific", "At step 0"),
    "last_gradient": number_column("Gradient, last layer", "scientific", "At step 0"),
    "diverged": number_column("Diverged at step", "%d"),
    "seconds": number_column("Time", "%.1f s", "Of computing, for all schemes together"),
}
STEP_HEADINGS = {
    "scheme": text_column("Initialization"),
    "step": number_column("Step", "%d"),
    "loss": number_column("Loss", "%.4g", "Of the batch at this step"),
    "test_loss": number_column("Held-out loss", "%.4g",
        "Loss on 512 further examples, at few steps"),
    "accuracy": number_column("Accuracy", "percent", "Share of the batch classified right"),
    "test_accuracy": number_column("Held-out accuracy", "percent",
        "Share of 512 further examples, at few steps"),
    "gradient_norm": number_column("Gradient norm", "scientific",
        "Of all parameters together, before clipping"),
}
LAYER_HEADINGS = {
    "scheme": text_column("Initialization"),
    "layer": number_column("Layer", "%d"),
    "step": number_column("Step", "%d", "The newest at which every number was finite"),
    "signal": number_column("Signal", "scientific", "RMS of the pre-activations z"),
    "signal_gradient": number_column("Signal gradient", "scientific",
        "RMS of the loss's derivative by z, of one example"),
    "weight_gradient": number_column("Weight gradient", "scientific",
        "Frobenius norm of the loss's derivative by the weights"),
    "predicted_signal": number_column("Signal predicted", "scientific",
        "By theory, before training"),
    "predicted_signal_gradient": number_column("Signal gradient predicted", "scientific",
        "By theory, before training"),
}
NORM_HEADINGS = {
    "factor": number_column("Further factors", "%d"),
    "low": number_column("5 % lie below", "%.2f", "Power of ten of the norm"),
    "median": number_column("Median", "%.2f", "Power of ten of the norm"),
    "high": number_column("5 % lie above", "%.2f", "Power of ten of the norm"),
    "law": number_column("Law", "%.2f",
        "Mean power of ten of Gaussian matrices, exact but for a small offset"),
}
THEORY_HEADINGS = {
    "scheme": text_column("Initialization"),
    "sigma_w": number_column("σ_w", "%.4g", "Root of fan_in times the variance of a weight"),
    "edge": number_column(
        "σ_w at the edge",
        "%.4g",
        "Where this activation, with these biases, is on the edge of chaos",
    ),
    "phase": text_column("Phase",
        "Ordered: inputs merge. Chaotic: they fly apart. On the edge: neither"),
    "chi_1": number_column("χ₁", "%.3g", "By how much a layer multiplies a squared gradient"),
    "reach": number_column("Reach", "%.0f layers",
        "To which depth information survives: a scale, not a wall"),
    "q": number_column("q*", "%.3g", "The variance of z that a deep network settles at"),
    "sigma_b": number_column("σ_b", "%.3g", "Standard deviation of the biases"),
    "note": text_column("Note", width="large"),
}
SYMMETRY_HEADINGS = {
    "scheme": text_column("Initialization"),
    "symmetry": text_column("What is done"),
    "moved": number_column("Output moves by", "%.1e",
        "Largest absolute difference on the first batch before training"),
    "size": number_column("Of", "%.1e", "Largest absolute output"),
    "share": number_column("Share", "%.0e", "The one over the other: about 1e-15 is rounding"),
    "unnoticed": text_column("A symmetry here",
        "Whether this activation and normalization make it one"),
    "note": text_column("Why not", width="large"),
}
GAIN_HEADINGS = {
    "scheme": text_column("Initialization"),
    "variance": number_column("Variance", "%.3g",
        "Mean square of a weight of the first layer, as drawn"),
    "forward": number_column("Forward", "%.3g", "Mean square of z over that of the inputs"),
    "predicted_forward": number_column("predicted", "%.3g", "Inputs times the variance"),
    "backward": number_column("Backward", "%.3g",
        "Mean square of the gradient behind the first layer over that before it"),
    "predicted_backward": number_column("predicted ", "%.3g", "Units times the variance"),
}
# fmt: on
