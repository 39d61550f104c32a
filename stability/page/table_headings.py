"""How the page's tables head their columns: label, format and help, as Streamlit's column_config takes them."""


def column(label: str, help: str = "", width: str | None = None) -> dict:
    return {"label": label, "help": help or None, "width": width}


def number(label: str, format: str, help: str = "") -> dict:
    return column(label, help) | {"type_config": {"type": "number", "format": format}}


TRIED = {
    "settings": column("Settings", "What differs from the first visit's settings", "large"),
    "scheme": column("Initialization"),
    "loss": number("Final loss", "%.3g"),
    "test_accuracy": number("Held-out accuracy", "percent"),
    "first_gradient": number("Gradient, first layer", "scientific", "At step 0"),
    "last_gradient": number("Gradient, last layer", "scientific", "At step 0"),
    "diverged": number("Diverged at step", "%d"),
    "seconds": number("Time", "%.1f s", "Of computing, for all schemes together"),
}
STEPS = {
    "scheme": column("Initialization"),
    "step": number("Step", "%d"),
    "loss": number("Loss", "%.4g", "Of the batch at this step"),
    "test_loss": number("Held-out loss", "%.4g", "Loss on 512 further examples, at few steps"),
    "accuracy": number("Accuracy", "percent", "Share of the batch classified right"),
    "test_accuracy": number("Held-out accuracy", "percent", "Share of 512 further examples, at few steps"),
    "gradient_norm": number("Gradient norm", "scientific", "Of all parameters together, before clipping"),
}
LAYERS = {
    "scheme": column("Initialization"),
    "layer": number("Layer", "%d"),
    "step": number("Step", "%d", "The newest at which every number was finite"),
    "signal": number("Signal", "scientific", "RMS of the pre-activations z"),
    "signal_gradient": number("Signal gradient", "scientific", "RMS of the loss's derivative by z, of one example"),
    "weight_gradient": number("Weight gradient", "scientific", "Frobenius norm of the loss's derivative by the weights"),
    "predicted_signal": number("Signal predicted", "scientific", "By theory, before training"),
    "predicted_signal_gradient": number("Signal gradient predicted", "scientific", "By theory, before training"),
}
NORMS = {
    "factor": number("Further factors", "%d"),
    "low": number("5 % lie below", "%.2f", "Power of ten of the norm"),
    "median": number("Median", "%.2f", "Power of ten of the norm"),
    "high": number("5 % lie above", "%.2f", "Power of ten of the norm"),
    "law": number("Law", "%.2f", "Mean power of ten of Gaussian matrices, exact but for a small offset"),
}
NUMBERS = {
    "scheme": column("Initialization"),
    "sigma_w": number("σ_w", "%.4g", "Root of fan_in times the variance of a weight"),
    "edge": number("σ_w at the edge", "%.4g", "Where this activation, with these biases, is on the edge of chaos"),
    "phase": column("Phase", "Ordered: inputs merge. Chaotic: they fly apart. On the edge: neither"),
    "chi_1": number("χ₁", "%.3g", "By how much a layer multiplies a squared gradient"),
    "reach": number("Reach", "%.0f layers", "To which depth information survives: a scale, not a wall"),
    "q": number("q*", "%.3g", "The variance of z that a deep network settles at"),
    "sigma_b": number("σ_b", "%.3g", "Standard deviation of the biases"),
    "note": column("Note", width="large"),
}
SYMMETRY = {
    "scheme": column("Initialization"),
    "symmetry": column("What is done"),
    "moved": number("Output moves by", "%.1e", "Largest absolute difference on the first batch before training"),
    "size": number("Of", "%.1e", "Largest absolute output"),
    "share": number("Share", "%.0e", "The one over the other: about 1e-15 is rounding"),
    "unnoticed": column("A symmetry here", "Whether this activation and normalization make it one"),
    "note": column("Why not", width="large"),
}
GAINS = {
    "scheme": column("Initialization"),
    "variance": number("Variance", "%.3g", "Mean square of a weight of the first layer, as drawn"),
    "forward": number("Forward", "%.3g", "Mean square of z over that of the inputs"),
    "predicted_forward": number("predicted", "%.3g", "Inputs times the variance"),
    "backward": number("Backward", "%.3g", "Mean square of the gradient behind the first layer over that before it"),
    "predicted_backward": number("predicted ", "%.3g", "Units times the variance"),
}
