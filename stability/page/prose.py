"""The fixed texts of the page."""

from stability.i18n import N_, _, ngettext
from stability.text import in_quotes

PROMISE = N_(
    "What an initialization does to a deep network: same architecture, same data, different first "
    "weights."
)
COURSE_INTRODUCTION = N_(
    "“[Numerical Stability and Initialization]({book})” in {count} experiments (Dive into Deep "
    "Learning, section 5.4; 4.8 in older editions and in Chinese). Guess first; then the "
    "experiment runs, and you may change it."
)
COURSE_END = N_(
    "You have seen why depth is dangerous: signals and gradients are products of as many factors "
    "as there are layers. A good initialization makes these factors 1 for the activation at hand, "
    "and makes the units differ. Where that does not suffice, residual connections, normalization "
    "and wider number formats help. Now build your own: on the Train bench choose a network, guess "
    "its verdict, and where it is sick, find a cure."
)
MARKS_NOTE = N_("Your answers are kept in this browser only.")
DASHED_NOTE = N_(
    "Solid: measured at the step that the titles name. Dashed: predicted for step 0, before "
    "training. Shaded: nine of ten such networks lie here (drawn where it can be computed)."
)
STRETCH_NOTE = N_(
    "A small change of the input can point in as many directions as there are units. The curve "
    "shows by how much the hidden layers stretch each of them before training, the largest first. "
    "Where all are at 1, gradients keep their size. A line ends where only rounding is left."
)
EDGE_NOTE = N_("Dashed: the largest value that a wide linear network has.")
THEORY_NOTE = N_(
    "What a very deep and wide network with these weights does. Where χ₁ is 1 gradients keep "
    "their size: the edge of chaos. Below it they vanish and all inputs become alike; above it "
    "they explode and the smallest difference grows. Reach is the number of layers through which "
    "a network can still tell its inputs apart. Point at the head of a column for its meaning."
)
GAINS_NOTE = N_(
    "By what factor the first layer changes mean squares before training. Forward: its outputs "
    "compared with its inputs. Backward: the gradient that leaves it compared with the gradient "
    "that arrives. The forward factor is 1 if the variance of the weights is 1 / fan_in, the "
    "backward factor if it is 1 / fan_out: unless these are equal, no variance serves both."
)
FORMATS_NOTE = N_(
    "What the numbers of this run would become in each format, from the widest range to the "
    "narrowest. Below half of the smallest number they become 0, beyond the largest they become "
    "infinite, and subnormal numbers lose digits. Gradients are those of the mean loss, as stored."
)
SYMMETRIES_NOTE = N_(
    "The table shows how far each change of the weights moves the output on the first batch, "
    "before training and in float64, where 1e-15 is rounding. A change that does not move the "
    "output does not move the loss: gradient descent cannot tell the two networks apart."
)
NUMBERS_NOTE = N_(
    "Medians over the replicates, as in the charts, with a dash where a number is not finite. "
    "Above a table's right corner: search in it, see it large, download it as CSV."
)
HEALING_NOTE = N_(
    "Entries of standard deviation 1 / sqrt(n) keep the MEAN of the squared norm, so they are "
    "called variance preserving. The typical product shrinks all the same: a few rare, huge "
    "products make up the mean. Large matrices differ less from one another, and the loss becomes "
    "smaller, like 1 / n."
)
EXPONENTS_NOTE = N_(
    "In the long run each factor multiplies the lengths along n directions, each by its own rate; "
    "the exponents are the logarithms of these rates. The first decides the norm. The gap to the "
    "last says how fast a gradient loses sight of all other directions."
)
BOUNDS_NOTE = N_(
    "No singular value of a product exceeds the product of its factors' largest, or falls below "
    "the product of their smallest. These bounds are dashed."
)
GREETING = N_(
    "Three copies of one network with different first weights. Change a setting or press a remedy: "
    "all train again."
)
WAITING = N_("Others train before you"), N_("Your curves appear here as soon as it is your turn.")
STARTING = N_("Training begins"), N_("The first curves appear here in a moment.")
TAKE_NOTE = N_(
    "Each picture shows what the charts above show, and each file says which link made it."
)
THREE_LINES_NOTE = N_(
    "In a notebook, with this library, these lines train all networks of the page and draw them:"
)
PROGRAM_NOTE = N_(
    "One of them as a program that needs PyTorch alone. It draws the same numbers, and prints each "
    "step with its loss before the update: the curve above, to rounding."
)
REPLICATE_NOTE = N_("It is the first of the replicates; the charts show the median of all.")
FORETOLD_NOTE = N_("What theory predicts costs nothing, and is drawn here, dashed.")
NO_SCHEMES = N_(
    "Choose at least one initialization in the sidebar, and its curves appear here. Until then "
    "the address and Copy link open those that you had chosen before."
)
REMEDY_HELP = N_(
    "An initialization is added beside this one. A setting is changed for all networks, and the "
    "curves that you see stay behind the new ones, in grey."
)
FIND_CURE_HELP = N_(
    "Some twenty single changes are tried, and pairs where none cures, each trained from the same "
    "seed, and listed beneath the charts as they end."
)
HEALTHY_TITLE = N_("Nothing found: this network can begin to learn")
HEALTHY_NOTE = N_(
    "Signal, gradients and weights are as they should be at the start. What no first look can "
    "tell: the learning rate, real data and labels, and what happens after many steps."
)
NOTEBOOK_NOTE = N_(
    "In a notebook any torch.nn.Module is diagnosed on your own data: convolutions, recurrent "
    "networks and transformers, too. Nothing of it is changed."
)
LINK_WITHOUT_TEXT = N_(
    "This text is too long for a link, which holds up to {most:,} characters of it as links spell "
    "them. It stays here while this page is open; Copy link leaves it out."
)
MAP_HELP = N_("where such networks train at all, over depth and one other setting.")
MAP_NOTE = N_(
    "Each cell is one experiment, trained to its end. A cross marks networks that diverged. Point "
    "at a cell to read it; a click trains it beside its neighbours."
)
COARSE_NOTE = N_("Paler cells wait for their turn, and show the nearest cell's colour.")
BORDER_NOTE = N_(
    "The lines are theory's, known before any training: ξ is the depth over which a wide network "
    "with such first weights forgets a difference between two inputs, and about 6 ξ is how deep "
    "information survives (Schoenholz et al. 2017). That is a scale, not a wall."
)
CUT_NOTE = N_(
    "The two curves meet in the cell that the sliders choose, the large dot. Bands are the range "
    "over the replicates; where a network diverged there is no number, and the curve breaks off."
)
CELLS_NOTE = N_(
    "A row for each cell, with means over its replicates; a dash where a number is not finite. "
    "“Open” trains the cell beside its neighbours, as a click on the map does."
)
CELL_LINES_NOTE = N_(
    "With this library, in a notebook or on a server, these lines compute the same cells and draw "
    "the same map:"
)
CODE_LABEL = N_("In PyTorch")
CURE_NOTE = N_(
    "Each row is this network with one change, or with two where no single one cures, trained from "
    "the same seed on the same data. It is cured if its held-out loss ends below half of what "
    "guessing costs. “Apply” does what a button on a card would do."
)


def settings_found(words: str, count: int) -> str:
    """Return the sentence above the settings that a search has found."""
    found = ngettext(
        "1 setting found for {words}. Clear the field to see all.",
        "{count} settings found for {words}. Clear the field to see all.",
        count,
    )
    if not count:
        found = _("No setting found for {words}. Clear the field to see all.")
    return found.format(count=count, words=in_quotes(words.strip()))
