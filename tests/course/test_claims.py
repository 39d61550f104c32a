"""Claims: what they mean, what they say, and that nothing is held true before it was measured."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.course.claim_indices import HIDDEN_LAYER, LAYER
from stability.course.claim_parser import FUNCTIONS, MAX_NESTING, parse_comparisons
from stability.course.claim_prefix import PendingError
from stability.course.claim_quantities import CLAIM_QUANTITIES
from stability.course.claims import ClaimReading, parse_claim
from stability.engine.measurement import PROFILES, Measurement
from stability.engine.runs import ProductRun, Run
from stability.probes import symmetries
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.probes.jacobian import singular_values
from stability.probes.product_singular_values import singular_bounds
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.text import percent, rough_number
from stability.theory.prediction import predict
from stability.theory.product_law import norm_law

SMALL = Experiment(
    schemes=("he_normal", "normal:1"),
    depth=5,
    width=8,
    features=4,
    samples=64,
    batch=16,
    steps=6,
    replicates=3,
)
MEASURED = {name for name, meaning in CLAIM_QUANTITIES.items() if meaning.measurement}
PROFILE_NAMES = {
    name for name in MEASURED if {LAYER, HIDDEN_LAYER} & {*CLAIM_QUANTITIES[name].indices}
}
CURVE_NAMES = MEASURED - PROFILE_NAMES
NAMES = {"a": 1.5, "b": -2.0, "zero": 0.0, "lost": math.nan, "inf_": math.inf}


@pytest.fixture(scope="module")
def run() -> Run:
    return finished_run(SMALL)


@pytest.fixture(scope="module")
def growth() -> ProductRun:
    found = ProductRun(Product(n=3, count=8, replicates=5))
    list(found)
    return found


def finished_run(e: Experiment, **options) -> Run:
    found = Run(e, **options)
    list(found)
    return found


# What a claim means


def joined(parts: st.SearchStrategy[str], symbols: str, most: int) -> st.SearchStrategy[str]:
    """Parts with a symbol between neighbours, spaced in any way."""
    links = st.tuples(st.sampled_from(symbols.split()), st.sampled_from(["", " ", "  "]))
    others = st.lists(st.tuples(links, parts), max_size=most)
    return st.tuples(parts, others).map(
        lambda p: p[0] + "".join(f"{g}{s}{g}{text}" for (s, g), text in p[1])
    )


numbers = st.sampled_from(["0", "1", "2.5", ".5", "3.", "1e-9", "2E+3", "4e300"]) | st.sampled_from(
    [*NAMES]
)
FACTORS = "-{}", "({})", "abs({})", "log10( {})"


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return joined(
        joined(st.one_of(inner, *(inner.map(shape.format) for shape in FACTORS)), "* /", 2),
        "+ -",
        2,
    )


sums = st.recursive(numbers, larger, max_leaves=8)
claims = joined(st.tuples(sums, joined(sums, "< <= > >= ==", 1)).map(" < ".join), "and", 2).map(
    lambda text: text.replace("and", " and ")
)


@given(claims)
def test_a_claim_means_what_python_makes_of_it(text):
    values = {name: np.float64(value) for name, value in NAMES.items()}
    with np.errstate(all="ignore"):
        # Numbers as NumPy's, so that a division by 0 is inf here, too.
        known = values | {"abs": abs, "log10": np.log10, "__builtins__": {}}
        expected = eval(as_numpy(text), known | {"f": np.float64})
    found = [
        comparison.holds(lambda quantity: values[quantity.name])
        for comparison in parse_comparisons(text)
    ]
    assert all(found) == bool(expected)


def exactly(sentence: str) -> str:
    return f"^{re.escape(sentence)}$"


def as_numpy(text: str) -> str:
    """Write literals as calls of f: Python's own floats refuse to divide by 0."""
    return re.sub(
        r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", lambda found: f"f({found[0]})", text
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 == 7", True),
        ("(1 + 2) * 3 == 9", True),
        ("8 / 2 / 2 == 2", True),
        ("5 - 3 - 1 == 1", True),
        ("-2 * -3 == 6", True),
        ("1 < 3 > 2", True),
        ("1 < 2 < 2", False),
        ("3 > 2 > 2.5", False),
        ("log10(1e-3) == -3 and abs(-2) == 2", True),
        ("1 < 2 and 2 < 1", False),
        ("log10(0) < -1e308 and 1 / 0 > 1e308", True),
        ("0 / 0 < 1", False),
        ("0 / 0 >= 0", False),
        ("0 / 0 == 0 / 0", False),
        ("log10(-1) < 1", False),
    ],
)
def test_precedence_chains_and_numbers_that_are_none(run, text, expected):
    assert parse_claim(text).holds(run).tolist() == [expected] * 3


def test_a_claim_holds_for_each_replicate_alone(run):
    losses = run.measurements[2].loss[0]
    between = float(np.sort(losses)[:2].mean())
    assert (
        parse_claim(f"loss[he_normal][2] < {between}").holds(run).tolist()
        == (losses < between).tolist()
    )


def test_each_asks_every_scheme(run):
    first = [m[:, 0] for m in run.measurements[0].signal]
    bound = float((max(first[0]) + min(first[1])) / 2)  # normal:1 is the larger
    assert parse_claim(f"signal[he_normal][1] < {bound}").holds(run).all()
    assert not parse_claim(f"signal[each][1] < {bound}").holds(run).any()
    assert parse_claim("signal[each][1] == signal[each][first][start]").holds(run).all()
    assert parse_claim(f"signal[each][1] > 0 and signal[he_normal][1] < {bound}").holds(run).all()
    assert len(parse_claim("signal[each][1] > 0 and width == 8").describe(run).lines) == 3


# Every name


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_a_quantity_is_that_of_the_measurement(run, name):
    layers = (
        [[]]
        if name in CURVE_NAMES
        else [["[first]", 0], ["[2]", 1], ["[last]", -1], ["[middle]", 2]]
    )
    for place, scheme in enumerate(SMALL.schemes):
        for layer, *index in [(*pair,) if pair else ("",) for pair in layers]:
            for step, when in (("", 0), ("[start]", 0), ("[3]", 3), ("[end]", -1)):
                values = getattr(run.measurements[when], name)[place, :, *index]
                bound = float(np.median(values))
                holds = parse_claim(f"{name}[{scheme}]{layer}{step} <= {decimal(bound)}").holds(run)
                assert holds.tolist() == (values <= float(decimal(bound))).tolist()


def decimal(value: float) -> str:
    return repr(value).replace("nan", "0").replace("inf", "1e308")


def test_every_number_of_a_measurement_has_its_name():
    assert {
        *PROFILES,
        "loss",
        "accuracy",
        "test_loss",
        "test_accuracy",
        "gradient_norm",
        "scale",
    } == MEASURED
    assert set(Measurement.__dataclass_fields__) >= MEASURED
    hidden = {name for name in PROFILE_NAMES if HIDDEN_LAYER in CLAIM_QUANTITIES[name].indices}
    assert hidden == {"saturated", "dead", "distinct", "lost_gain_updates"}


def test_no_name_is_one_of_the_grammar():
    assert not set(CLAIM_QUANTITIES) & {*FUNCTIONS, "and"}
    assert all(quantity_of(f"{name} == 1") == name for name in CLAIM_QUANTITIES)


def quantity_of(text: str) -> str:
    return parse_comparisons(text)[0].quantities[0].name


def expectations(e: Experiment) -> dict[str, np.ndarray | float]:
    """Names of the Train bench that are no measurement, with their numbers."""
    values, found = singular_values(e), measure_first_layer_gain(e)
    changes = {
        key: change.moved[1] / change.size[1]
        for key, change in symmetries.symmetry_changes(e).items()
    }
    return {
        "predicted_signal[normal:1][3]": predict(e).signal[1, 2],
        "predicted_signal_gradient[normal:1][last]": predict(e).signal_gradient[1, -1],
        "singular_value[he_normal][largest]": values[0, :, 0],
        "singular_value[he_normal][middle]": values[0, :, 16],
        "singular_value[he_normal][smallest]": values[0, :, -1],
        "singular_value[he_normal][2]": values[0, :, 1],
        "guessing": math.log(10),
        "width": 8,
        "depth": 5,
        "features": 4,
        "batch": 16,
        "learning_rate": 0.02,
        "forward[normal:1]": found.forward[1],
        "backward[normal:1]": found.backward[1],
        "forward_predicted[normal:1]": 4,  # n_in of variance 1
        "backward_predicted[normal:1]": 8,
        "moved[normal:1][swap_incoming]": changes["swap_incoming"],
        "moved[normal:1][flip]": changes["flip"],
    }


def test_what_is_known_of_the_settings_is_what_their_modules_say():
    e = replace(SMALL, activation="tanh", steps=1)
    told, run = expectations(e), finished_run(e)
    others = {
        name for name, word in CLAIM_QUANTITIES.items() if word.record is Experiment
    } - MEASURED
    assert {text.partition("[")[0] for text in told} == others
    for text, value in told.items():
        for replicate, one in enumerate(spread(value, 3)):
            assert parse_claim(f"abs({text} - {decimal(float(one))}) <= 1e-12 * abs({text})").holds(
                run
            )[replicate], text


def spread(value: np.ndarray | float, count: int) -> np.ndarray:
    return np.broadcast_to(value, count)


def test_what_is_known_of_a_product_is_what_its_modules_say(growth):
    p, bounds = growth.product, singular_bounds(growth.product)
    told = {
        "log10_norm[start]": growth.measurements[0],
        "log10_norm[end]": growth.measurements[8],
        "log10_norm[3]": growth.measurements[3],
        "law[3]": norm_law(p).mean[3],
        "log10_largest[end]": bounds.largest[-1],
        "log10_smallest[2]": bounds.smallest[2],
        "log10_upper[2]": bounds.upper[2],
        "log10_lower[start]": bounds.lower[0],
        "n": 3,
        "sigma": 1,
        "count": 8,
    }
    assert {text.partition("[")[0] for text in told} == {
        name for name, word in CLAIM_QUANTITIES.items() if word.record is Product
    }
    for text, value in told.items():
        values = spread(value, 5)
        assert (
            parse_claim(f"{text} <= {decimal(float(np.median(values)))}").holds(growth).tolist()
            == (values <= np.median(values)).tolist()
        )


def test_without_a_law_nothing_is_true_of_it():
    uniform = ProductRun(Product(n=3, count=4, replicates=2, family="uniform"))
    list(uniform)
    assert not parse_claim("law[end] < 1e9").holds(uniform).any()
    assert parse_claim("log10_norm[end] < 1e9").holds(uniform).all()


def test_what_is_taken_at_few_steps_is_the_newest_that_was():
    run = finished_run(replace(SMALL, steps=150))
    taken = sorted(evenly_spread_steps(150, SAMPLED_STEPS))
    missed = next(step for step in range(150) if step not in taken)
    for name in ("test_loss", "test_accuracy"):
        value = float(getattr(run.measurements[max(s for s in taken if s < missed)], name)[0, 1])
        assert parse_claim(f"{name}[he_normal][{missed}] == {value!r}").holds(run)[1]
    assert parse_claim("distinct[he_normal][1][1] == distinct[he_normal][1][0]").holds(run).all()


def test_a_profile_that_was_thinned_out_is_the_newest_that_is_kept():
    run = finished_run(replace(SMALL, steps=20), profile_bytes=1)  # the first and the last are kept
    assert run.measurements[7].signal is None
    assert parse_claim("signal[each][2][7] == signal[each][2][start]").holds(run).all()
    value = float(run.measurements[20].signal[0, 0, 1])
    assert parse_claim(f"signal[he_normal][2][end] == {value!r}").holds(run)[0]


def test_of_a_network_that_diverged_nothing_is_true_at_the_end():
    run = finished_run(replace(SMALL, schemes=("normal:1000",), learning_rate=100.0))
    assert not np.isfinite(run.measurements[-1].loss).any()
    assert not parse_claim("loss[each][end] < 1e308").holds(run).any()
    assert (
        not parse_claim("loss[each][end] >= 0 and loss[each][end] == loss[each][end]")
        .holds(run)
        .any()
    )
    assert "NaN" in parse_claim("loss[each][end] < 1").describe(run).text


# What it says


def test_a_reading_fills_in_the_measured_numbers(run):
    reading = parse_claim(
        "signal_gradient[normal:1][first] > 1e-9 * signal_gradient[normal:1][last][end]"
    ).describe(run)
    first, last = (
        np.median(run.measurements[step].signal_gradient[1, :, layer])
        for step, layer in ((0, 0), (6, -1))
    )
    words = "signal gradient of Normal 1, layer {}: {}"
    product = number_text(1e-9 * last)
    text = f"{words.format('1, before training', number_text(first))} > "
    text += f"1e−9 × {words.format('5, step 6', number_text(last))} (= {product})"
    assert reading == ClaimReading(((text, True),), True)
    assert reading.text == text + "."


def number_text(value: float) -> str:
    rounded = float(f"{value:.3g}")
    if 1e-4 < value < 1e6:
        return repr(rounded).removesuffix(".0")
    power = math.floor(math.log10(rounded))
    return f"{rounded / 10.0**power:.3g}e{power}".replace("-", "−")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("abs(-width) <= (depth - 1) / 2", "abs(−width: 8) (= 8) ≤ (depth: 5 − 1) / 2 (= 2)"),
        ("1 < width >= depth == 5", "1 < width: 8 ≥ depth: 5 = 5"),
        ("learning_rate*1e-3<1", "learning rate: 0.02 × 1e−3 (= 2e−5) < 1"),
        ("-(width - -2) < (2)", "−(width: 8 − −2) (= −10) < 2"),
        ("-0.5 * width < log10(0)", "−0.5 × width: 8 (= −4) < log10(0) (= −inf)"),
        ("loss[he_normal] < 1", "loss of He (normal), before training: "),
        ("loss[he_normal][0] < 1", "loss of He (normal), before training: "),
        (
            "distinct[he_normal][2] < 9",
            "number of distinct units of He (normal), layer 2, before training: 8",
        ),
        ("loss[he_normal][2] < 1", "loss of He (normal), step 2: "),
        (
            "singular_value[he_normal][largest] > 0 * singular_value[he_normal][2]",
            ", the largest: ",
        ),
        ("moved[he_normal][swap] < 1", "change of the output of He (normal), swap"),
    ],
)
def test_a_reading_is_written_for_people(run, text, words):
    assert words in parse_claim(text).describe(run).text


def test_a_reading_marks_each_comparison(run):
    reading = parse_claim("width == 8 and width == 9 and 1 < loss[each] < 1e9").describe(run)
    assert [holds for _, holds in reading.lines] == [True, False, True, True]
    assert reading.holds is False
    assert reading.text == "; ".join(line for line, _ in reading.lines) + "."


def test_a_sentence_has_the_numbers_of_the_run_for_each_scheme(run):
    text = "{each} ends at {loss[each][end]}, {accuracy[each][end]:%} right; 10^2 is {2:10^}."
    reading = parse_claim("0 < loss[each][end] < 1e9", [text]).describe(run)
    last = run.measurements[-1]
    assert reading.sentences == tuple(
        f"{title} ends at {rough_number(np.median(last.loss[index]))}, "
        f"{percent(np.median(last.accuracy[index]))} right; 10^2 is 100."
        for index, title in enumerate(["He (normal)", "Normal 1"])
    )
    early = parse_claim("0 < loss[each][end] < 1e9", [text]).describe(run, 3)
    assert "He (normal) ends at …, … right" in early.sentences[0]


@pytest.mark.parametrize(
    ("sentence", "refusal"),
    [
        ("{each} ends well.", "a sentence does not give loss[each][end]"),
        ("{each} begins at {loss[each]}.", "a sentence does not give loss[each][end]"),
        ("It ends at {loss[each][end]}.", "a sentence about each scheme must name it by {each}"),
    ],
)
def test_a_sentence_cannot_leave_out_what_decides(sentence, refusal):
    with pytest.raises(ValueError, match=exactly(refusal)):
        parse_claim("loss[each][end] < 1", [sentence])


def test_a_reading_names_the_step_at_which_a_number_was_taken():
    run = finished_run(
        replace(SMALL, steps=150), profile_bytes=1
    )  # the first and the last profile are kept
    assert (
        "layer 2, step 7 (taken before training): "
        in parse_claim("signal[he_normal][2][7] > 0").describe(run).text
    )
    assert "layer 2, step 150: " in parse_claim("signal[he_normal][2][end] > 0").describe(run).text
    taken = sorted(evenly_spread_steps(150, SAMPLED_STEPS))
    missed = next(step for step in range(taken[1], 150) if step not in taken)
    before = max(step for step in taken if step < missed)
    assert (
        f", step {missed} (taken at step {before}): "
        in parse_claim(f"test_loss[he_normal][{missed}] > 0").describe(run).text
    )
    assert (
        f", step {before}: "
        in parse_claim(f"test_loss[he_normal][{before}] > 0").describe(run).text
    )


def test_a_reading_says_in_how_many_replicates_a_claim_holds(run):
    bound = float(np.sort(run.measurements[0].loss[0])[1])
    reading = parse_claim(f"loss[he_normal] <= {bound!r}").describe(run)
    assert (reading.holds, reading.why) == (False, "It holds in 2 of 3 replicates.")


def test_nothing_is_said_of_what_is_still_to_come():
    run, claim = Run(SMALL), parse_claim("loss[he_normal][2] < 1e9 and loss[he_normal] > 0")
    assert claim.describe(run).holds is None
    for known in range(1, 4):
        run.measurement_at(known - 1)
        reading = claim.describe(run)
        assert len(run.measurements) == known, "a reading computes nothing"
        assert reading.holds is (True if known == 3 else None)
        assert [holds for _, holds in reading.lines] == [reading.holds, True]
        assert ("…" in reading.text) == (known < 3)
        assert reading.why == ("" if known == 3 else "Step 2 is still to come.")
    with pytest.raises(PendingError, match=r"^step 6 is still to come$"):
        parse_claim("loss[he_normal][end] < 1").holds(run)


def test_a_paused_reader_is_told_of_what_is_shown_alone(run):
    claim = parse_claim("loss[he_normal][end] < 1e9")
    assert claim.describe(run, 6).holds is None
    assert claim.describe(run, 7).holds is True
    assert claim.holds(run, 7).all()


def test_a_product_is_read_while_it_grows():
    growth, claim = (
        ProductRun(Product(count=3, replicates=2)),
        parse_claim("log10_norm[end] > log10_norm[start] - 99"),
    )
    growth.measurement_at(1)
    assert claim.describe(growth).holds is None
    list(growth)
    assert claim.describe(growth).holds is True
    assert claim.describe(growth).text.startswith("log10 of the norm after 3 further factors: ")
    assert "log10 of the norm at the start: " in claim.describe(growth).text
    for name in ("log10_norm", "log10_upper"):
        assert " after 1 further factor: " in parse_claim(f"{name}[1] < 99").describe(growth).text


# What is refused

A_LAYER = "a layer is first, middle, last or a whole number from 1"
A_NORMAL = "a scheme is each or normal with a standard deviation from 0 to 1e6, as in normal:0.01"
A_COMPARISON = "a comparison with < <= > >= or == must stand here"
A_SIDE = "a number, a name, abs(), log10(), or these with + - * / must stand here"
TOO_DEEP = f"column {MAX_NESTING + 1}: at most {MAX_NESTING} operations within one another"
NO_LAYER = (
    "this claim speaks of the share of dead units, which only hidden layers have, "
    "and there are none"
)
USAGE = "signal is written signal[a scheme][a layer][a step] or without it"
NO_STEP = "a step is start, end or a whole number from 0, not '-1'"
NO_SYMMETRY = "a symmetry is swap, swap_incoming, flip, rescale, shift, not 'turn'"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("width", f"column 1: {A_COMPARISON}, not 'width'"),
        ("1 < 2 and width", f"column 11: {A_COMPARISON}, not 'width'"),
        ("1 < 2 or 2 < 3", f"column 1: {A_COMPARISON}, not '1 < 2 or 2 < 3'"),
        ("1 < (2 < 3)", f"column 6: {A_SIDE}, not '2 < 3'"),
        ("1 != 2", "column 6: a side compared by < <= > >= or == must stand here, not '2'"),
        ("2 ** 3 < 9", f"column 1: {A_SIDE}, not '2 ** 3'"),
        ("1 < 2 + ~3", f"column 9: {A_SIDE}, not '~3'"),
        ("+1 < 2", f"column 1: {A_SIDE}, not '+1'"),
        ("1 < 'ä' + [2]", f"column 5: {A_SIDE}, not \"'ä'\""),
        ("ö[2] < 1j", f"column 8: {A_SIDE}, not '1j'"),
        ("1 < True", f"column 5: {A_SIDE}, not 'True'"),
        ("1 < abs", f"column 5: {A_SIDE}, not 'abs'"),
        ("1 < abs(1, 2)", f"column 5: {A_SIDE}, not 'abs(1, 2)'"),
        ("1 < open('x')", f"column 5: {A_SIDE}, not \"open('x')\""),
        ("1 < width.real", f"column 5: {A_SIDE}, not 'width.real'"),
        ("1 < (width := 2)", f"column 6: {A_SIDE}, not 'width := 2'"),
        ("1e999 > 1", "column 1: a finite decimal number must stand here, not '1e999'"),
        ("[first] < 1", f"column 1: {A_SIDE}, not '[first]'"),
        ("los[he_normal] < 1", "column 1: nothing is called 'los' (did you mean loss?)"),
        ("1 < __import__", "column 5: nothing is called '__import__'"),
        ("width[1] < 1", "column 7: width takes no index"),
        ("loss < 1", "column 1: loss is written loss[a scheme][a step] or without it"),
        ("loss[each][1][2] < 1", "column 15: loss is written loss[a scheme][a step] or without it"),
        ("signal[each] < 1", f"column 1: {USAGE}"),
        ("signal[each][frist] < 1", f"column 14: {A_LAYER}, not 'frist' (did you mean first?)"),
        ("signal[each][0] < 1", f"column 14: {A_LAYER}, not '0'"),
        ("signal[each][1.5] < 1", f"column 14: {A_LAYER}, not '1.5'"),
        ("loss[each][-1] < 1", f"column 12: {NO_STEP}"),
        ("log10_norm < 1", "column 1: log10_norm is written log10_norm[a number of factors]"),
        ("moved[each][turn] < 1", f"column 13: {NO_SYMMETRY}"),
        ("loss[normal:x] < 1", f"column 6: {A_NORMAL}, not 'normal:x'"),
        ("-" * (MAX_NESTING + 1) + "1 < 2", TOO_DEEP),
    ],
)
def test_a_claim_that_cannot_be_read_is_refused_with_its_column(text, sentence):
    with pytest.raises(ValueError, match=exactly(sentence)):
        parse_claim(text)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("1 < ", 4),
        ("1 < 2 <", 8),
        ("1 < 2 3", 7),
        ("(1 + 2 < 4", 1),
        ("1 = 1", 3),
        ("abs 1 < 2", 5),
        ("loss[he_normal < 1", 5),
    ],
)
def test_what_is_no_python_is_refused_with_its_column(text, column):
    with pytest.raises(ValueError, match=f"^column {column}: "):
        parse_claim(text)


def test_a_claim_of_any_length_and_depth_is_refused_and_not_run_into_a_limit_of_python():
    for text in (
        "(" * 5000,
        "-" * 100_000 + "1 < 2",
        "1" + " + 1" * 3000 + " < 2",
        "1 < 2 and " * 500,
    ):
        with pytest.raises(ValueError, match=r"^column "):
            parse_claim(text)


def test_a_misspelled_scheme_is_told_its_neighbour():
    with pytest.raises(
        ValueError,
        match=r"^column 6: a scheme is each or one of .*zeros, .* "
        r"\(did you mean he_normal\?\), not 'he_norml'$",
    ):
        parse_claim("loss[he_norml] < 1")


@given(
    st.text()
    | st.text(alphabet="ab([])<>=*/-+1.e \n", max_size=30)
    | claims.map(lambda text: text[:-1])
)
def test_any_text_is_a_claim_or_a_value_error_with_a_column(text):
    said = "column 1"
    try:
        parse_claim(text)
    except ValueError as error:
        said = str(error)
    assert said.startswith("column ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("loss[orthogonal] < 1", "this claim speaks of orthogonal, which is not among the schemes"),
        ("loss[normal] < 1", "this claim speaks of normal, which is not among the schemes"),
        (
            "signal[each][6] < 1",
            "this claim speaks of the signal at layer 6, and the last that has it is 5",
        ),
        (
            "dead[each][5] < 1",
            "this claim speaks of the share of dead units at layer 5, "
            "and the last that has it is 4",
        ),
        ("loss[each][7] < 1", "this claim speaks of step 7, and the last is 6"),
        (
            "singular_value[each][33] < 1",
            "this claim speaks of singular value 33, and there are 32",
        ),
        (
            "width < 9 and n < 1",
            "this claim speaks of the size, which a training run does not have",
        ),
    ],
)
def test_a_claim_about_something_else_is_refused(run, text, sentence):
    claim = parse_claim(text)
    for ask in (lambda: claim.holds(run), lambda: claim.check_settings(SMALL)):
        with pytest.raises(ValueError, match=exactly(sentence)):
            ask()
    assert claim.describe(run) == ClaimReading(
        ((text, None),), None, sentence[:1].upper() + sentence[1:] + "."
    )


@pytest.mark.parametrize(
    ("settings", "text", "sentence"),
    [
        ({"depth": 1}, "dead[each][1] < 1", NO_LAYER),
        ({"depth": 2}, "singular_value[each][largest] < 1", "no singular values at depth 2: "),
        ({"depth": 1}, "moved[each][swap] < 1", "no hidden units at depth 1: "),
    ],
)
def test_what_these_settings_do_not_have_is_said(settings, text, sentence):
    with pytest.raises(ValueError, match="^" + sentence):
        parse_claim(text).check_settings(replace(SMALL, **settings))


@pytest.mark.parametrize(
    ("settings", "text", "sentence"),
    [
        (
            {},
            "loss[each] < 1",
            "this claim speaks of the loss, which a product of matrices does not have",
        ),
        ({}, "log10_norm[101] < 1", "this claim speaks of factor 101, and the last is 100"),
        (
            {},
            "log10_upper[2] < 1",
            "this claim speaks of the log10 of the upper bound at factor 2, where it is not taken",
        ),
        ({"sigma": 0.0}, "log10_upper[end] < 1", "no singular values at sigma 0: all are 0"),
    ],
)
def test_what_a_product_does_not_have_is_said(settings, text, sentence):
    with pytest.raises(ValueError, match=exactly(sentence)):
        parse_claim(text).check_settings(Product(**settings))


def test_schemes_are_the_same_however_their_value_is_spelled():
    run = finished_run(replace(SMALL, schemes=("normal:0.01", "scaled_normal"), steps=1))
    assert (
        parse_claim("signal[normal][1] == signal[normal:1e-2][1] > 0 * signal[scaled_normal:1][1]")
        .holds(run)
        .all()
    )
