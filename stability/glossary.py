"""The glossary: every term of the page in a sentence or two, with its source where it has one."""

from collections.abc import Mapping

from stability.i18n import N_

GLOSSARY: Mapping[str, str] = {
    N_("scheme"): N_("An initialization: the rule by which the first weights are drawn."),
    N_("signal"): N_(
        "The size of z in a layer: its RMS over the examples of the batch and the units."
    ),
    N_("signal gradient"): N_(
        "The size of the gradient that reaches a layer: the RMS of the loss's "
        "derivative by z, for one example."
    ),
    N_("weight gradient"): N_(
        "The size of what a layer learns from: the Frobenius norm (root of the sum "
        "of squares) of the loss's derivative by its weight matrix."
    ),
    N_("gradient norm"): N_(
        "The 2-norm of the gradient over all parameters together, before clipping."
    ),
    N_("z"): N_("The pre-activation of a unit: the weighted sum of its inputs plus its bias."),
    N_("u"): N_(
        "What the activation receives: z itself, or z after normalization where there is one."
    ),
    N_("φ"): N_("The activation, such as ReLU or tanh: a hidden layer passes on φ(u)."),
    N_("RMS"): N_(
        "Root mean square: the root of the mean of the squares. It is the usual size of "
        "numbers around 0."
    ),
    N_("fan_in"): N_(
        "The number of inputs of a unit, n_in: the columns of its layer's weight matrix."
    ),
    N_("fan_out"): N_("The number of units of a layer, n_out: the rows of its weight matrix."),
    N_("profile"): N_("A quantity drawn layer by layer, from the input at the left to the output."),
    N_("curve"): N_("A quantity drawn step by step."),
    N_("replicate"): N_(
        "One of several networks of a scheme, drawn independently. Lines show their "
        "median, bands their range."
    ),
    N_("held-out loss"): N_("The loss on 512 examples that are never trained on."),
    N_("guessing"): N_(
        "To answer without looking at the input: every class equally often, or the mean. "
        "Its loss is the dotted line, and a network that learned ends below it."
    ),
    N_("sigma_w"): N_(
        "The root of fan_in times the variance of a weight: how strongly a layer of any "
        "width multiplies (Poole et al. 2016)."
    ),
    N_("sigma_b"): N_("The standard deviation of the biases."),
    N_("q*"): N_(
        "The variance of z at which a very deep and wide network settles (Poole et al. 2016)."
    ),
    N_("chi_1"): N_(
        "The factor by which a layer multiplies a squared gradient, and a small difference "
        "between two inputs (Schoenholz et al. 2017)."
    ),
    N_("edge of chaos"): N_(
        "Where chi_1 is 1. Below it gradients vanish and inputs become alike; above "
        "it gradients explode and the smallest difference grows."
    ),
    N_("reach"): N_(
        "The number of layers through which a network can still tell its inputs apart."
    ),
    N_("ξ"): N_(
        "The number of layers over which a wide network forgets a difference between two inputs "
        "by a factor of e. About six of them is how deep information survives (Schoenholz et al. "
        "2017)."
    ),
    N_("map"): N_(
        "A picture of what becomes of networks over two settings: each cell is one experiment, "
        "trained to its end."
    ),
    N_("symmetry"): N_(
        "A change of the weights that leaves the output as it is, such as swapping two "
        "units of a layer with all of their weights."
    ),
    N_("singular value"): N_("The factor by which a matrix stretches one of its own directions."),
    N_("underflow, overflow"): N_(
        "A number that is too small for its format becomes 0; one that is too "
        "large becomes infinite."
    ),
    N_("remedy"): N_(
        "A single change that may help a sick network; a cure is a remedy that was tried "
        "and helped."
    ),
    N_("pin"): N_("A run that stays behind the next ones, in grey."),
}
