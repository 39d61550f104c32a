"""The column headings of the page's tables, as Streamlit's column_config takes them."""

from typing import Any


def column(
    label: str, format: str = "", help: str = "", width: str | int | None = None
) -> dict[str, Any]:
    """Return a heading: for numbers if there is a `format`, else for texts."""
    numbers = {"type_config": {"type": "number", "format": format}} if format else {}
    return {"label": label, "help": help or None, "width": width} | numbers


# fmt: off
TRIED_HEADINGS = {
    "settings": column("Settings", help="What differs from the first visit's settings",
        width="large"),
    "scheme": column("Initialization"),
    "loss": column("Final loss", "%.3g"),
    "test_accuracy": column("Held-out accuracy", "percent"),
    "first_gradient": column("Gradient, first layer", "scientific", "At step 0"),
    "last_gradient": column("Gradient, last layer", "scientific", "At step 0"),
    "diverged": column("Diverged at step", "%d"),
    "seconds": column("Time", "%.1f s", "Of computing, for all schemes together"),
}
STEP_HEADINGS = {
    "scheme": column("Initialization"),
    "step": column("Step", "%d"),
    "loss": column("Loss", "%.4g", "Of the batch at this step"),
    "test_loss": column("Held-out loss", "%.4g",
        "Loss on 512 further examples, at few steps"),
    "accuracy": column("Accuracy", "percent", "Share of the batch classified right"),
    "test_accuracy": column("Held-out accuracy", "percent",
        "Share of 512 further examples, at few steps"),
    "gradient_norm": column("Gradient norm", "scientific",
        "Of all parameters together, before clipping"),
}
LAYER_HEADINGS = {
    "scheme": column("Initialization"),
    "layer": column("Layer", "%d"),
    "step": column("Step", "%d", "The newest at which every number was finite"),
    "signal": column("Signal", "scientific", "RMS of the pre-activations z"),
    "signal_gradient": column("Signal gradient", "scientific",
        "RMS of the loss's derivative by z, of one example"),
    "weight_gradient": column("Weight gradient", "scientific",
        "Frobenius norm of the loss's derivative by the weights"),
    "predicted_signal": column("Signal predicted", "scientific",
        "By theory, before training"),
    "predicted_signal_gradient": column("Signal gradient predicted", "scientific",
        "By theory, before training"),
}
NORM_HEADINGS = {
    "factor": column("Further factors", "%d"),
    "low": column("Norms from", "10^%.2f",
        "19 of 20 norms are larger; of fewer than 20 products all are"),
    "median": column("Median", "10^%.2f"),
    "high": column("Norms to", "10^%.2f",
        "19 of 20 norms are smaller; of fewer than 20 products all are"),
    "law": column("Law", "10^%.2f",
        "Mean power of ten of Gaussian matrices, exact but for a small offset"),
}
THEORY_HEADINGS = {
    "scheme": column("Initialization"),
    "sigma_w": column("σ_w", "%.4g", "Root of fan_in times the variance of a weight"),
    "edge": column("σ_w at the edge", "%.4g",
        "Where this activation, with these biases, is on the edge of chaos"),
    "phase": column("Phase",
        help="Ordered: inputs merge. Chaotic: they fly apart. On the edge: neither"),
    "chi_1": column("χ₁", "%.3g", "By how much a layer multiplies a squared gradient"),
    "reach": column("Reach", "%.0f layers",
        "To which depth information survives: a scale, not a wall"),
    "q": column("q*", "%.3g", "The variance of z that a deep network settles at"),
    "sigma_b": column("σ_b", "%.3g", "Standard deviation of the biases"),
    "note": column("Note", width="large"),
}
SYMMETRY_HEADINGS = {
    "scheme": column("Initialization"),
    "symmetry": column("What is done"),
    "moved": column("Output moves by", "%.1e",
        "Largest absolute difference on the first batch before training"),
    "size": column("Of", "%.1e", "Largest absolute output"),
    "share": column("Share", "%.0e", "The one over the other: about 1e-15 is rounding"),
    "unnoticed": column("A symmetry here",
        help="Whether this activation and normalization make it one"),
    "note": column("Why not", width="large"),
}
GAIN_HEADINGS = {
    "scheme": column("Initialization"),
    "variance": column("Variance", "%.3g",
        "Mean square of a weight of the first layer, as drawn"),
    "forward": column("Forward", "%.3g", "Mean square of z over that of the inputs"),
    "predicted_forward": column("predicted", "%.3g", "Inputs times the variance"),
    "backward": column("Backward", "%.3g",
        "Mean square of the gradient behind the first layer over that before it"),
    "predicted_backward": column("predicted ", "%.3g", "Units times the variance"),
}
CURE_HEADINGS = {
    "change": column("Change", help="Everything else stays as it is, the seed too", width=230),
    "verdict": column("Verdict", help="After the last step"),
    "loss": column("Held-out loss", "%.3g", "Loss on 512 further examples, after the last step"),
    "pytorch": column("In PyTorch", width="large"),
}
# fmt: on
