"""The settings of the Train bench, one field each, with its knob."""

from dataclasses import dataclass

from stability.catalogues.activations import ACTIVATIONS, LEAKY_SLOPE, SIREN_FREQUENCY
from stability.catalogues.branch_scales import BRANCH_SCALES
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORM_POSITIONS, NORMALIZATIONS
from stability.catalogues.number_formats import FORMATS, PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS, USUAL_EPSILON, USUAL_MOMENTUM
from stability.catalogues.output_activations import OUTPUT_ACTIVATIONS
from stability.catalogues.schedules import SCHEDULES
from stability.catalogues.scheme_names import split_list
from stability.catalogues.schemes import (
    SCHEMES,
    family_and_value,
    parse_scheme,
    scheme_refusal,
    scheme_title,
)
from stability.records.choice_list import ChoiceList
from stability.records.knobs import Choice, Flag, Integer, Real, setting
from stability.records.record import Record

MOST_SCHEMES = 8  # per experiment: as many colours as most people can tell apart


def canonical_scheme(text: str) -> str:
    """Return the spelling of a scheme in records and links: `normal:0.01` for `normal:1e-2`."""
    return parse_scheme(text).key


@dataclass(frozen=True, repr=False)
class ExperimentSettings(Record):
    """All that a link to an Experiment spells, in the order in which settings give way."""

    # fmt: off
    schemes: tuple[str, ...] = setting(
        ("he_normal", "xavier_normal", "normal:1"), ChoiceList, "Compare", "Initializations",
        "How the first weights are drawn: up to eight ways, trained at once on the same data. "
        "Type your own with a value, such as normal:0.02 or N(0, 0.02).", rows=SCHEMES,
        canonical=canonical_scheme, identity=family_and_value, most=MOST_SCHEMES, main=True,
        entry_title=scheme_title, refusal=scheme_refusal, split=split_list,
        synonyms="schemes init initializer weights")
    activation: str = setting("relu", Choice, "Network", "Activation",
        "The function φ applied to each pre-activation of the hidden layers. Where it is flat, "
        "no gradient passes.", rows=ACTIVATIONS, main=True,
        synonyms="nonlinearity transfer function swish")
    slope: float = setting(LEAKY_SLOPE, Real, "Network", "Slope of the leaky ReLU",
        "The slope of the leaky ReLU below 0: 0 makes it a ReLU, 1 a linear unit. The larger, the "
        "more of the gradient passes, and the smaller the weights that He draws.",
        low=0, high=1, synonyms="negative_slope alpha lrelu prelu leaky",
        has_effect=lambda e: e.phi.setting == "slope")
    w0: float = setting(SIREN_FREQUENCY, Real, "Network", "Frequency of the sine",
        "The factor w0 on u within the sine; 1 is the plain sine, SIREN takes 30. A larger one "
        "lets the network learn finer detail, and asks for smaller weights.",
        low=0.01, high=1000, usual=(1, 100), log=True, synonyms="w0 omega_0 siren sin periodic",
        has_effect=lambda e: e.phi.setting == "w0")
    depth: int = setting(20, Integer, "Network", "Depth",
        "The number of weight layers, the output layer included. The deeper the network, the more "
        "factors its signal and its gradient pass through: each slight shrinking or growing adds "
        "up.", low=1, high=101, usual=(2, 60), main=True, synonyms="layers L number deep")
    width: int = setting(64, Integer, "Network", "Width",
        "The number of units in each hidden layer. The wider, the closer a network comes to what "
        "theory predicts, and the longer a step takes.", low=2, high=1024, usual=(8, 128), log=True,
        main=True, synonyms="units neurons hidden size fan_in fan_out")
    residual: bool = setting(False, Flag, "Network", "Residual connections",
        "Adds the input of each hidden layer to its output. Signal and gradient have a way around "
        "every layer, so that depth harms them less.",
        synonyms="skip connection shortcut resnet identity")
    taper: float = setting(1.0, Real, "Network", "Taper",
        "How many times as wide the first hidden layer is as the last. Between them the widths "
        "fall by equal ratios, to even numbers: then fan_in and fan_out differ in every layer, so "
        "no variance keeps both the signal and the gradient. Residual connections need layers of "
        "one width.", low=1, high=64, usual=(1, 16), log=True,
        synonyms="funnel pyramid shrinking widths bottleneck fan_in fan_out decreasing sizes",
        has_effect=lambda e: e.depth > 2 and not e.residual)
    branch_layers: int = setting(1, Integer, "Network", "Layers of a branch",
        "The number of hidden layers that a residual connection passes around. With two, as in "
        "ResNets and in the blocks of transformers, the layer between is added to nothing. One "
        "that is left over at the end is a branch of its own.", low=1, high=2,
        synonyms="block two layers residual resnet basic block",
        has_effect=lambda e: e.residual)
    branch_scale: str = setting("one", Choice, "Network", "Scale of branches",
        "A factor on what each branch adds. Variances add: at 1 those of deep residual networks "
        "grow without end, and a smaller factor, or one that is learned from 0 on, keeps the "
        "start level.", rows=BRANCH_SCALES,
        synonyms="rezero skipinit layerscale alpha residual multiplier 1/sqrt(2) 1/sqrt(2L)",
        has_effect=lambda e: e.residual)
    normalization: str = setting("none", Choice, "Network", "Normalization",
        "Brings each pre-activation to mean 0 and variance 1 (RMS norm: to size 1) before the "
        "activation, over the batch or over the units of a layer.", rows=NORMALIZATIONS,
        synonyms="batchnorm layernorm rmsnorm bn ln normalisation")
    norm_position: str = setting("inside", Choice, "Network", "Position of the normalization",
        "Before the activation or before the product, the way around each residual branch stays "
        "free (pre-norm). After the sum it is normalized as well (post-norm), and signals and "
        "gradients from below shrink at each block. Without residual connections the first and "
        "the last are the same.", rows=NORM_POSITIONS,
        synonyms="pre-norm post-norm prenorm postnorm pre-LN post-LN preactivation position",
        has_effect=lambda e: e.normalization_row.has_gain)
    dropout: float = setting(0.0, Real, "Network", "Dropout",
        "The share of hidden units, from 0 to 0.95, that is switched off at random at each step. "
        "More of it makes every pass noisier.", low=0, high=0.95, usual=(0, 0.9),
        synonyms="regularization p mask")
    bias_std: float = setting(0.0, Real, "Network", "Bias spread",
        "The standard deviation of the biases at the start; at 0 all of them start at 0. A larger "
        "one adds the same to every input, so inputs become more alike.", low=0, high=10,
        usual=(0, 1), synonyms="biases sigma_b std bias init")
    output_activation: str = setting("none", Choice, "Network", "Output activation",
        "A function behind the last layer. The losses here take raw outputs, so any of them does "
        "harm: a softmax before the cross-entropy is a second one, a ReLU cannot say less than 0.",
        rows=OUTPUT_ACTIVATIONS, synonyms="double softmax sigmoid logits head final last layer")
    weight_mean: float = setting(0.0, Real, "Network", "Mean of the weights",
        "Added to all first weights, in units of their standard deviation. Weights drawn by rand "
        "instead of randn, all positive, have 1.73: every unit of a layer then gets nearly the "
        "same, and signals grow at each layer: 20 times with He and a width of 64.",
        low=-100, high=100, usual=(0, 2),
        synonyms="rand randn positive weights uniform 0 1 not zero-mean mean shift")
    first_gain: float = setting(1.0, Real, "Network", "Gain of the first layer",
        "A factor on the first weights of layer 1. As inputs do that are not of size 1, it sets "
        "the size of the signal with which the hidden layers begin.",
        low=0, high=1000, usual=(0.1, 10), synonyms="input layer scale first layer weights std")
    readout_gain: float = setting(1.0, Real, "Network", "Gain of the readout",
        "A factor on the first weights of the last layer. A smaller one makes the first outputs "
        "smaller, and with them the first loss, down to that of guessing at 0.",
        low=0, high=1000, usual=(0.01, 10),
        synonyms="head last layer output scale first loss initial loss logits")
    dataset: str = setting("blobs", Choice, "Data", "Data",
        "The task that the networks learn: to tell classes apart, or to predict one number.",
        rows=DATASETS, synonyms="dataset task problem toy classification regression")
    features: int = setting(32, Integer, "Data", "Features",
        "The number of inputs of the network: the fan_in of the first layer.",
        low=1, high=1024, usual=(2, 256), log=True, synonyms="inputs dimension d fan_in",
        has_effect=lambda e: not e.dataset_row.fixed_features)
    samples: int = setting(1024, Integer, "Data", "Samples",
        "The number of training examples; 512 more are held out. More of them are harder to learn "
        "by heart.", low=64, high=4096, log=True, synonyms="examples n training set size")
    noise: float = setting(0.1, Real, "Data", "Noise",
        "The standard deviation of what blurs the data; at 0 they are exact. With more of it "
        "classes overlap, and the best possible loss is higher.", low=0, high=10, usual=(0, 2),
        synonyms="blur spread")
    classes: int = setting(10, Integer, "Data", "Classes",
        "The number of blobs, each a class of its own, and of outputs. Guessing costs its "
        "logarithm: the more classes, the higher the first loss.", low=2, high=100, usual=(2, 100),
        log=True, synonyms="number of classes outputs categories vocabulary",
        has_effect=lambda e: "classes" in dict(e.dataset_row.more))
    imbalance: float = setting(1.0, Real, "Data", "Imbalance",
        "How many times as many examples the most frequent class has as the rarest. The larger, "
        "the less guessing costs, and the longer a network does no better.",
        low=1, high=1000, usual=(1, 100), log=True,
        synonyms="imbalanced unbalanced long tail rare class skewed",
        has_effect=lambda e: "imbalance" in dict(e.dataset_row.more))
    label_noise: float = setting(0.0, Real, "Data", "Label noise",
        "The share of the training labels, from 0 to 1, that are replaced by another class. "
        "Held-out labels stay right: a network that learns the wrong ones by heart does worse.",
        low=0, high=1, synonyms="wrong labels mislabeled corrupted random labels",
        has_effect=lambda e: bool(e.dataset_row.classes))
    exponent: int = setting(4, Integer, "Data", "Exponent",
        "The power k of the function x^k that is to be learned. The larger, the flatter it is "
        "in the middle, and the steeper at the ends.", low=1, high=12,
        synonyms="polynomial quadratic cubic x^2 x^3 x^4 power degree",
        has_effect=lambda e: "exponent" in dict(e.dataset_row.more))
    periods: int = setting(2, Integer, "Data", "Periods",
        "The number of periods of the sine that is to be learned. The more of them, the more "
        "bends the network has to make, and the longer it stays near 0.", low=1, high=16,
        synonyms="frequency waves sine sin oscillations",
        has_effect=lambda e: "periods" in dict(e.dataset_row.more))
    input_scale: float = setting(1.0, Real, "Data", "Input scale",
        "A factor on all inputs, which have mean 0 and variance 1 before. Inputs that nobody "
        "scaled, such as pixels from 0 to 255 (about 77), make the first signals and gradients "
        "larger by it. One-hot inputs of n features, as zeros and a one, have 1 / sqrt(n).",
        low=1e-6, high=1e6, usual=(0.01, 100), log=True,
        synonyms="normalize inputs unscaled standardize preprocessing pixels 0..255 raw data")
    input_offset: float = setting(0.0, Real, "Data", "Input offset",
        "Added to all inputs before they are scaled, in standard deviations. From about 2 on they "
        "are positive, as pixels (0.4) and counts are: then all units of the first layer "
        "move together.", low=-1000, high=1000, usual=(0, 5),
        synonyms="centre center inputs mean shift positive pixels not zero-mean bias of data")
    target_scale: float = setting(1.0, Real, "Data", "Target scale",
        "A factor on the targets of a regression, which have mean 0 and variance 1 before. "
        "Targets that nobody scaled, such as prices in dollars, make losses larger by its "
        "square, and the first steps too long.", low=1e-6, high=1e6, usual=(0.01, 100), log=True,
        synonyms="normalize targets unscaled labels standardize y raw data",
        has_effect=lambda e: not e.dataset_row.classes)
    target_offset: float = setting(0.0, Real, "Data", "Target offset",
        "Added to the targets of a regression before they are scaled, in standard deviations. "
        "The farther their mean is from 0, the longer the output's bias has to travel.",
        low=-1000, high=1000, usual=(0, 20),
        synonyms="centre center targets mean shift not zero-mean labels y",
        has_effect=lambda e: not e.dataset_row.classes)
    optimizer: str = setting("sgd", Choice, "Training", "Optimizer",
        "The rule that turns a gradient into a step. SGD steps in proportion to the gradient; "
        "Adam and its relatives divide by its usual size, so they forgive small gradients. "
        "Changing it sets its typical learning rate, unless you chose one.",
        rows=OPTIMIZERS, main=True, synonyms="gradient descent update rule")
    learning_rate: float = setting(0.02, Real, "Training", "Learning rate",
        "The factor on each step. A larger one learns faster, until training diverges.",
        low=1e-6, high=100, usual=(1e-4, 1), log=True, main=True,
        synonyms="lr eta alpha rate step size")
    warmup: int = setting(0, Integer, "Training", "Warm-up",
        "The number of first steps over which the learning rate rises evenly: of 10, the first "
        "takes a tenth of it, and the last all of it. The longer, the gentler the steps are "
        "while the network is as it was drawn.", low=0, high=20000, usual=(0, 100),
        synonyms="warmup warm up linear ramp learning rate lr scheduler LinearLR")
    schedule: str = setting("constant", Choice, "Training", "Schedule",
        "How the rate falls after the warm-up. With a cosine the last steps are ever "
        "smaller, so that the noise of single batches dies down.", rows=SCHEDULES,
        synonyms="lr decay scheduler annealing cosine CosineAnnealingLR")
    momentum: float = setting(USUAL_MOMENTUM, Real, "Training", "Momentum",
        "The part of its running mean of gradients that the optimizer keeps at each step: Adam "
        "calls it beta_1. The nearer to 1, the longer the memory, of about 1 / (1 - momentum) "
        "steps.", low=0, high=0.999, usual=(0, 0.99),
        synonyms="beta1 beta_1 betas heavy ball inertia velocity",
        has_effect=lambda e: e.optimizer_row.has_momentum)
    epsilon: float = setting(USUAL_EPSILON, Real, "Training", "Epsilon",
        "What the optimizer adds to the size of a gradient before it divides by it. A larger one "
        "keeps steps small where gradients are; float16 rounds the usual one to 0.",
        low=1e-16, high=1, usual=(1e-8, 1), log=True,
        synonyms="eps adam numerical stability divide by zero",
        has_effect=lambda e: e.optimizer_row.has_epsilon)
    batch: int = setting(64, Integer, "Training", "Batch",
        "The number of examples from which each step takes its gradient. A larger batch makes the "
        "gradient less noisy, and a step slower.", low=1, high=1024, usual=(1, 256), log=True,
        synonyms="batch size minibatch bs")
    steps: int = setting(300, Integer, "Training", "Steps",
        "The number of updates of the weights. An epoch is samples / batch of them: 16 by default.",
        low=1, high=20000, usual=(10, 1000), log=True,
        synonyms="epochs iterations updates length duration")
    clip: float = setting(0.0, Real, "Training", "Gradient clipping",
        "The largest gradient norm that a step may use; a longer gradient is shortened to it. A "
        "smaller value tames explosions; 0 leaves gradients as they are.", low=0, high=1e6,
        usual=(0.01, 100), synonyms="clip norm max_norm clipping threshold")
    weight_decay: float = setting(0.0, Real, "Training", "Weight decay",
        "The strength of the pull of the weight matrices towards 0, in units of the weights per "
        "step and learning rate. A larger one keeps weights smaller.", low=0, high=10,
        usual=(1e-4, 1), synonyms="wd l2 regularization lambda")
    precision: str = setting("float32", Choice, "Training", "Precision",
        "The number format of everything that is computed. Fewer bits mean fewer digits, and a "
        "narrower range between the smallest and the largest number.", rows=PRECISIONS,
        absent={key: row.why_untrainable for key, row in FORMATS.items() if not row.is_trainable},
        synonyms="bf16 fp16 fp32 fp64 half double amp mixed dtype number format")
    replicates: int = setting(1, Integer, "Compare", "Replicates",
        "The number of networks of each initialization, each drawn anew: lines show their median, "
        "bands their range. More of them show what is chance.",
        low=1, high=16, synonyms="repeats runs ensemble seeds")
    seed: int = setting(0, Integer, "Compare", "Seed",
        "The number from which all random numbers follow: the same seed draws the same weights and "
        "data. A larger one means nothing.", low=0, high=2**31 - 1, usual=(0, 19),
        synonyms="random state rng reproduce")
    # fmt: on
