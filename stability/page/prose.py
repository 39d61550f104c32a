"""The fixed texts of the page."""

from stability.text import in_quotes

PROMISE = (
    "What an initialization does to a deep network: same architecture, same data, different first "
    "weights."
)
COURSE_INTRODUCTION = (
    "The book's section, claim by claim. Each lesson asks before it shows: answer, and the "
    "experiment runs under your hands. Every claim is tested against the engine, and against a "
    "neighbour of which it is false."
)
DASHED_NOTE = (
    "Dashed: what theory foresees before training; shaded: nine of ten networks, where the law of "
    "their spread is known."
)
STRETCH_NOTE = (
    "By how much the hidden layers stretch each direction of a small change before training, the "
    "furthest first; all at 1: gradients keep their size. A line ends where rounding swallows the "
    "rest."
)
EDGE_NOTE = "Dashed: the largest value that a wide linear network has."
THEORY_NOTE = (
    "What a very deep and wide network with these weights does. Where χ₁ is 1 gradients keep "
    "their size: the edge of chaos. Below it they vanish and all inputs become alike; above it "
    "they explode and the smallest difference grows. Reach: through how many layers a network can "
    "still tell its inputs apart. Point at the head of a column to read what it means."
)
GAINS_NOTE = (
    "What the first layer does to mean squares before training: forward, those of its outputs "
    "over those of its inputs; backward, those of the gradient that it passes down over those of "
    "the gradient that arrives. Forward asks for variance 1 / n_in, backward for 1 / n_out; "
    "unless the two are alike, no variance serves both."
)
FORMATS_NOTE = (
    "What the numbers of this run become in each format, from the widest range to the narrowest: "
    "those below half the smallest become 0, those beyond the largest infinite; subnormal ones "
    "lose digits. Gradients are those of the mean loss, as stored."
)
SYMMETRIES_NOTE = (
    "The largest change of the output over the first batch before training, in float64: 1e-15 is "
    "rounding. What leaves the output as it is leaves the loss as it is, and gradient descent "
    "cannot tell such networks apart."
)
NUMBERS_NOTE = (
    "Medians over the replicates, as the charts draw them; empty where a number is not finite. "
    "Above a table's right corner: search in it, see it large, download it as CSV."
)
HEALING_NOTE = (
    "Entries of standard deviation 1 / sqrt(n) keep the MEAN of the squared norm, so they are "
    "called variance preserving. The typical product shrinks all the same: a few rare, huge "
    "products make up the mean. Large matrices differ less from one another, and the loss heals "
    "like 1 / n."
)
EXPONENTS_NOTE = (
    "Each factor multiplies the lengths along n directions by its own rates, in the long run: "
    "these are their logarithms. The first decides the norm; the gap to the last is how fast a "
    "gradient becomes blind to all other directions."
)
BOUNDS_NOTE = (
    "No singular value of a product exceeds the product of its factors' largest, or falls below "
    "the product of their smallest. These bounds are dashed."
)
GREETING = (
    "Three copies of one network, alike except for their first weights. Change a setting at the "
    "left, or press a remedy: all three train again."
)
WAITING = "Others train before you", "Your curves appear here as soon as it is your turn."
STARTING = "Training begins", "The first curves appear here in a moment."
TAKE_NOTE = "Each picture shows what the charts above show, and each file says which link made it."
FORETOLD_NOTE = "What theory predicts costs nothing, and is drawn here, dashed."
NO_SCHEMES = "Choose at least one initialization in the sidebar, and its curves appear here."
REMEDY_HELP = (
    "An initialization is added beside this one. A setting is changed for all networks, and the "
    "curves that you see stay behind the new ones, in grey."
)
FIND_CURE_HELP = (
    "Some twenty single changes are tried, and pairs where none cures, each trained from the same "
    "seed, and listed beneath the charts as they end."
)
CURE_NOTE = (
    "Each row is this network with one change, or with two where no single one cures, trained from "
    "the same seed on the same data. It is cured if its held-out loss ends below half of what "
    "guessing costs. “Apply” does what a button beneath the cards would do."
)


def settings_found(words: str, count: int) -> str:
    """Return the sentence above the settings that a search has found."""
    found = "No setting" if not count else "1 setting" if count == 1 else f"{count} settings"
    return f"{found} found for {in_quotes(words.strip())}. Clear the field to see all."
