"""The glossary: every term of the page in a sentence or two, with its source where it has one."""

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "scheme": "An initialization: the rule by which the first weights are drawn.",
    "signal": "The size of z in a layer: its RMS over the examples of the batch and the units.",
    "signal gradient": "The size of the gradient that reaches a layer: the RMS of the loss's "
    "derivative by z, for one example.",
    "weight gradient": "The size of what a layer learns from: the Frobenius norm (root of the sum "
    "of squares) of the loss's derivative by its weight matrix.",
    "gradient norm": "The 2-norm of the gradient over all parameters together, before clipping.",
    "z": "The pre-activation of a unit: the weighted sum of its inputs plus its bias.",
    "u": "What the activation receives: z itself, or z after normalization where there is one.",
    "φ": "The activation, such as ReLU or tanh: a hidden layer passes on φ(u).",
    "RMS": "Root mean square: the root of the mean of the squares. It is the usual size of "
    "numbers around 0.",
    "fan_in": "The number of inputs of a unit, n_in: the columns of its layer's weight matrix.",
    "fan_out": "The number of units of a layer, n_out: the rows of its weight matrix.",
    "profile": "A quantity drawn layer by layer, from the input at the left to the output.",
    "curve": "A quantity drawn step by step.",
    "replicate": "One of several networks of a scheme, drawn independently. Lines show their "
    "median, bands their range.",
    "held-out loss": "The loss on 512 examples that are never trained on.",
    "guessing": "To answer without looking at the input: every class equally often, or the mean. "
    "Its loss is the dotted line, and a network that learned ends below it.",
    "sigma_w": "The root of fan_in times the variance of a weight: how strongly a layer of any "
    "width multiplies (Poole et al. 2016).",
    "sigma_b": "The standard deviation of the biases.",
    "q*": "The variance of z at which a very deep and wide network settles (Poole et al. 2016).",
    "chi_1": "The factor by which a layer multiplies a squared gradient, and a small difference "
    "between two inputs (Schoenholz et al. 2017).",
    "edge of chaos": "Where chi_1 is 1. Below it gradients vanish and inputs become alike; above "
    "it gradients explode and the smallest difference grows.",
    "reach": "The number of layers through which a network can still tell its inputs apart.",
    "ξ": "The number of layers over which a wide network forgets a difference between two inputs "
    "by a factor of e. About six of them is how deep information survives (Schoenholz et al. "
    "2017).",
    "map": "A picture of what becomes of networks over two settings: each cell is one experiment, "
    "trained to its end.",
    "symmetry": "A change of the weights that leaves the output as it is, such as swapping two "
    "units of a layer with all of their weights.",
    "singular value": "The factor by which a matrix stretches one of its own directions.",
    "underflow, overflow": "A number that is too small for its format becomes 0; one that is too "
    "large becomes infinite.",
    "remedy": "A single change that may help a sick network; a cure is a remedy that was tried "
    "and helped.",
    "pin": "A run that stays behind the next ones, in grey.",
}
