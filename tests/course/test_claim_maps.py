"""Claims about maps: what each name counts, of cells that were made up for it."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from stability.course.claims import parse_claim
from stability.i18n import speaking
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep

# The share of guessing at which three rows of four columns end, from the bottom up; two replicates.
LOSS = np.array([
    [[0.1, 0.1], [0.2, 0.2], [0.1, 0.3], [0.4, 0.05]],
    [[0.9, 0.9], [0.1, 0.2], [0.3, 0.1], [0.9, 0.9]],
    [[1.0, 1.0], [0.4, 0.9], [1.0, 0.2], [np.inf, 0.4]],
])  # fmt: skip
SWEEP = Sweep(
    base=Experiment(schemes="scaled_normal", activation="tanh", replicates=2),
    x_range=(0.5, 2), x_cells=4, y_range=(2, 22), y_cells=3,
)  # fmt: skip


@dataclass
class MapOfLosses:
    """A stream of cells with these losses, in any order."""

    record: Sweep = SWEEP
    measurements: list = field(default_factory=list)

    def __post_init__(self):
        for row, y in reversed([*enumerate(SWEEP.y_values)]):
            for column, x in enumerate(SWEEP.x_values):
                loss = tuple(LOSS[row, column])
                learns = tuple(float(one < 0.5) for one in loss)
                outcome = SimpleNamespace(relative_loss=loss, learns=learns)
                self.measurements.append(SimpleNamespace(x=x, y=y, outcome=outcome))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("learns_up_to[0.5]", (2, 2)),
        ("learns_up_to[1]", (22, 12)),
        ("learns_up_to[1.1]", (22, 12)),
        ("learns_up_to[last]", (2, 22)),
        ("best_across[first]", (0.5, 2)),
        ("best_across[12]", (1, 1.5)),
        ("best_across[last]", (1, 1.5)),
        ("learning_cells", (7, 8)),
        ("mean_turns", ((0 + 2 + 2) / 3, (0 + 2 + 1) / 3)),
    ],
)
def test_a_name_counts_what_it_says(text, values):
    for replicate, value in enumerate(values):
        claim = parse_claim(f"abs({text} - {value!r}) < 1e-12")
        assert claim.holds(MapOfLosses())[replicate], claim.describe(MapOfLosses()).text


def test_the_rank_correlation_is_that_of_the_columns_with_the_depth_scale_of_theory():
    """At sigma_w 0.5, 1, 1.5, 2 tanh has 6 xi = 4.3, inf, 102, 48; depths 2, 22, 12, 2 learn."""
    first = float(np.corrcoef([1, 4, 3, 2], [1.5, 4, 3, 1.5])[0, 1])
    assert parse_claim(f"abs(scale_correlation - {first!r}) < 1e-9").holds(MapOfLosses())[0]


def test_a_claim_waits_for_the_cells_of_which_it_speaks():
    cells = MapOfLosses()
    early = parse_claim("best_across[last] == 1").describe(cells, 3)
    assert (early.holds, early.why) == (None, "Cells are still to come.")
    assert parse_claim("best_across[last] == 1").holds(cells, 4).tolist() == [True, False]
    assert parse_claim("learns_up_to[1] == 22").describe(cells, 4).holds is None


def test_a_claim_says_which_column_it_means_by_the_name_of_the_setting():
    claim = parse_claim("learns_up_to[1.4] > 2")
    assert "upward that learns at sigma_w 1.5: 17" in claim.describe(MapOfLosses()).text
    best = parse_claim("best_across[12] > 0").describe(MapOfLosses()).text
    assert "at depth 12" in best
    with speaking("zh"):
        best = parse_claim("best_across[12] > 0").describe(MapOfLosses()).text
    assert "（深度为12）" in best


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("learns_up_to[5] > 1", "this claim speaks of 5, and the map goes from 0.5 to 2"),
        ("loss[each] > 1", "this claim speaks of the loss, which a map does not have"),
    ],
)
def test_what_a_map_has_not_is_refused(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_claim(text).check_settings(SWEEP)


def test_an_index_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="a value across is first, middle, last or a number, not"):
        parse_claim("learns_up_to[widest] > 1")
