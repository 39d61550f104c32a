"""The words of verdicts, and what each of them means."""

from stability.i18n import N_

# In two lines, which the page shows on hover and README lists.
EXPLANATIONS = {
    N_("learns"): N_(
        "The held-out loss ended below half of what guessing costs. "
        "The forecast may have said otherwise."
    ),
    N_("slow"): N_(
        "The held-out loss ended below 0.9 of what guessing costs, but not below half of it. "
        "The network learns; the steps did not suffice."
    ),
    N_("stalled"): N_(
        "The network has not learned, and neither signal nor gradient is sick. "
        "The sentence names a likely cause, such as steps, rounding, or the output layer."
    ),
    N_("vanishing"): N_(
        "The signal, what differs between examples, or the gradient shrinks a hundredfold "
        "or more from one end of the hidden layers to the other. One end learns nothing."
    ),
    N_("exploding"): N_(
        "The signal or the gradient grows a hundredfold or more from one end of the "
        "hidden layers to the other. A step that suits one end ruins the other."
    ),
    N_("saturated"): N_(
        "Many hidden units sit where the activation is flat, beyond what it has by "
        "design. Through them hardly any gradient passes."
    ),
    N_("dead"): N_(
        "In one layer nearly all units are off for every example of the batch. "
        "They get no gradient, so they stay off."
    ),
    N_("symmetric"): N_(
        "All units of a layer compute the same, and get the same gradient. "
        "However wide, the layer acts as a single unit."
    ),
    N_("diverged"): N_(
        "Training did harm: a number left the range of the format, or the loss grew. "
        "The sentence names the step and the layer that broke first."
    ),
    N_("overflowed"): N_(
        "A number left the range of the format before the first step. No step can repair that."
    ),
}
HARM = "diverged", "overflowed"  # the words for networks that training harmed, or could not begin
