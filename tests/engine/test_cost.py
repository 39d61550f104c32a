"""The cost of a run grows with every knob, and what is too large is brought to fit by as little as
possible.
"""

import math
from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stability.catalogues.datasets import DATASETS
from stability.catalogues.product_families import PRODUCT_FAMILIES
from stability.catalogues.schemes import SCHEMES
from stability.engine.cost import (
    Cost,
    Speed,
    describe_excess,
    describe_refusal,
    measure_speed,
    nearest_that_fits,
    product_cost,
    replace_and_mend,
    solve_speeds,
    state_bytes,
    training_cost,
)
from stability.engine.term_weights import PRODUCTS
from stability.engine.training_terms import (
    draw_calls,
    draw_operations,
    sample_calls,
    sample_operations,
    step_calls,
    step_operations,
)
from stability.records.experiment import Experiment
from stability.records.knobs import Integer
from stability.records.product import Product

# Whole numbers that change no price.
FREE = "seed", "exponent", "branch_layers", "warmup", "periods"
SIZES = [
    name
    for name, knob in Experiment.knobs().items()
    if isinstance(knob, Integer) and name not in FREE
]
SHRINKABLE = "steps", "replicates", "width", "depth", "batch"
OF_PRODUCTS = "replicates", "count", "n"
FEW = settings(max_examples=40)  # each makes many experiments
OPERATION_SECONDS = st.floats(1e-12, 1e-8)
SPEEDS = st.builds(Speed, st.floats(1e-7, 1e-3), OPERATION_SECONDS, OPERATION_SECONDS)


def sizes(name: str) -> st.SearchStrategy[int]:
    """Spread over the magnitudes, the ends included."""
    knob = Experiment.knobs()[name]
    low, high = int(knob.low), int(knob.high)
    powers = [2**power for power in range(13) if low < 2**power < high]
    return st.sampled_from([low, high, *powers]) | st.integers(low, high)


@st.composite
def experiments(draw) -> Experiment:
    settings = {name: draw(sizes(name)) for name in SIZES}
    settings |= {
        "dataset": draw(st.sampled_from(list(DATASETS))),
        "precision": draw(st.sampled_from(["float32", "float64"])),
    }
    settings |= {
        "schemes": draw(
            st.lists(st.sampled_from(list(SCHEMES)), min_size=1, max_size=8, unique=True)
        )
    }
    settings["batch"] = min(settings["batch"], settings["samples"])
    settings["width"] += settings["width"] % 2  # as some schemes ask
    settings["residual"] = True
    return Experiment(**settings)


def as_numbers(found: Cost) -> list[int]:
    return [getattr(found, field.name) for field in fields(found)]


# What grows


@pytest.mark.parametrize("name", SIZES)
@FEW
@given(e=experiments(), data=st.data())
def test_no_size_makes_a_run_cheaper(name, e, data):
    """But the more outputs a network has, the fewer hidden layers compute at once, in less memory:
    a block holds fewer networks.
    """
    more = data.draw(st.integers(getattr(e, name), int(Experiment.knobs()[name].high)))
    assume(name != "batch" or more <= e.samples)
    larger = replace(e, **{name: more + more % 2 if name == "width" else more})
    before, after = training_cost(e), training_cost(larger)
    if name == "classes":
        after = replace(after, bytes=max(before.bytes, after.bytes))
    assert all(a <= b for a, b in zip(as_numbers(before), as_numbers(after), strict=True))
    assert state_bytes(e) <= state_bytes(larger)


@FEW
@given(experiments())
def test_every_size_has_a_price(e):
    """Double it, and something is dearer; where a data set has its own dimension, `features` is
    none of its sizes.
    """
    for name in SIZES:
        value = getattr(e, name) * 2
        legal = value <= Experiment.knobs()[name].high and (name != "batch" or value <= e.samples)
        if (
            legal
            and Experiment.knobs()[name].has_effect(e)
            and not (name == "width" and e.depth == 1)
        ):
            assert as_numbers(training_cost(replace(e, **{name: value}))) != as_numbers(
                training_cost(e)
            ), name


@FEW
@given(experiments(), st.sampled_from(list(SCHEMES)))
def test_one_scheme_more_costs_more_and_so_do_more_digits(e, scheme):
    assume(scheme not in e.schemes)
    assume(len(e.schemes) < 8)
    wider = replace(e, schemes=(*e.schemes, scheme))
    assert training_cost(wider).operations > training_cost(e).operations
    assert training_cost(wider).bytes > training_cost(e).bytes
    assert (
        training_cost(replace(e, precision="float64")).bytes
        > training_cost(replace(e, precision="float32")).bytes
    )


@FEW
@given(experiments())
def test_what_is_held_at_once_does_not_depend_on_how_long_it_takes(e):
    assert training_cost(e).bytes == training_cost(replace(e, steps=5000)).bytes >= state_bytes(e)


@FEW
@given(experiments())
def test_drawing_steps_and_sampled_steps_have_terms_of_their_own(e):
    for parts in (
        (draw_calls(e), step_calls(e), sample_calls(e)),
        (draw_operations(e), step_operations(e), sample_operations(e)),
    ):
        assert len(set().union(*parts)) == sum(map(len, parts))


@FEW
@given(experiments(), SPEEDS)
def test_seconds_are_calls_operations_and_products_at_the_speed_of_the_machine(e, speed):
    cost = training_cost(e)
    assert speed.seconds(cost) > 0
    parts = Speed(speed.call, 0, 0), Speed(0, speed.operation, 0), Speed(0, 0, speed.product)
    assert all(part.seconds(cost) > 0 for part in parts)
    assert speed.seconds(cost) == pytest.approx(sum(part.seconds(cost) for part in parts))


def test_products_of_a_run_are_those_of_its_steps_and_some_of_held_out_examples():
    e = Experiment(
        schemes=("he_normal",), depth=5, width=128, features=128, batch=256, samples=256, steps=100
    )
    products = sum(
        6 * layer.fan_in * layer.fan_out * e.batch for layer in e.layers
    )  # 2 forward, 4 backward
    least = 101 * products * PRODUCTS["product"]
    assert least <= training_cost(e).products <= 2 * least


@pytest.mark.parametrize("normalization", ["none", "layer"])
def test_layers_of_ever_other_shapes_cost_calls_as_each_has_tensors_of_its_own(normalization):
    e = Experiment(depth=30, width=64, batch=16, normalization=normalization)
    calls, of_tapered = training_cost(e).calls, training_cost(replace(e, taper=4.0)).calls
    assert 1.3 * calls < of_tapered < 5 * calls


def test_this_machine_has_a_speed():
    speed = measure_speed()
    assert 0 < speed.operation < speed.call < math.inf
    assert speed.operation / 20 < speed.product < 20 * speed.operation


def test_products_are_as_slow_as_they_are_timed_apart_from_all_else():
    """The step of each of the three networks takes what these three speeds make of it."""
    truth = Speed(call=5e-5, operation=9e-11, product=3e-11)

    def step_seconds(e: Experiment) -> float:
        cost, start = training_cost(replace(e, steps=200)), training_cost(replace(e, steps=100))
        return (truth.seconds(cost) - truth.seconds(start)) / 100

    found = solve_speeds(lambda experiments: [step_seconds(e) for e in experiments])
    assert (found.call, found.operation, found.product) == pytest.approx(
        (truth.call, truth.operation, truth.product), rel=0.01
    )


# What fits


@FEW
@given(experiments(), SPEEDS, st.floats(1e-3, 1e3))
def test_what_fits_is_left_alone_and_what_does_not_is_made_to_fit(e, speed, most):
    def fits(other: Experiment) -> bool:
        return speed.seconds(training_cost(other)) <= most

    smallest = replace(e, **{name: int(Experiment.knobs()[name].low) for name in SHRINKABLE})
    assume(fits(smallest))
    nearest = nearest_that_fits(e, fits, SHRINKABLE)
    assert fits(nearest)
    assert (nearest == e) == fits(e)
    kept = {field.name for field in fields(e)} - set(SHRINKABLE)
    assert all(getattr(nearest, name) == getattr(e, name) for name in kept)
    assert all(getattr(nearest, name) <= getattr(e, name) for name in SHRINKABLE)


def changed(e: Experiment, other: Experiment) -> list[str]:
    return [name for name in SHRINKABLE if getattr(e, name) != getattr(other, name)]


@FEW
@given(experiments(), SPEEDS, st.floats(1.01, 7))
def test_a_little_too_much_lowers_one_setting_and_no_further_than_to_a_number_of_two_digits(
    e, speed, factor
):
    most = speed.seconds(training_cost(e)) / factor

    def fits(other: Experiment) -> bool:
        return speed.seconds(training_cost(other)) <= most

    assume(
        fits(replace(e, steps=math.ceil(e.steps / 6)))
    )  # so one setting keeps an eighth, rounded to two digits
    nearest = nearest_that_fits(e, fits, SHRINKABLE)
    (name,) = changed(e, nearest)
    value = getattr(nearest, name)
    next_one = value + 10 ** max(0, int(math.log10(value)) - 1)
    assert next_one >= getattr(e, name) or not fits(replace_and_mend(e, {name: next_one}))
    assert name == "steps", "the network stays as it is where fewer steps suffice"


@FEW
@given(experiments(), st.sampled_from(SHRINKABLE), st.data())
def test_what_only_one_setting_can_mend_is_mended_by_that_one(e, name, data):
    """Whatever the measure is: here one setting alone decides."""
    knob = Experiment.knobs()[name]
    assume(getattr(e, name) > knob.low)
    most = data.draw(st.integers(max(int(knob.low), getattr(e, name) // 7 + 1), getattr(e, name)))
    nearest = nearest_that_fits(e, lambda other: getattr(other, name) <= most, SHRINKABLE)
    assert changed(e, nearest) == ([name] if most < getattr(e, name) else [])
    odd = name == "width" and most % 2  # some schemes ask for even widths
    assert (most - odd) * 0.9 <= getattr(nearest, name) <= most


@FEW
@given(experiments())
def test_where_nothing_fits_the_smallest_is_proposed(e):
    nearest = nearest_that_fits(e, lambda other: False, SHRINKABLE)
    assert all(getattr(nearest, name) == Experiment.knobs()[name].low for name in SHRINKABLE)


# Products of random matrices


def products() -> st.SearchStrategy[Product]:
    factors, replicates = st.integers(1, 1000), st.integers(1, 1000)
    return st.builds(
        Product,
        n=st.integers(1, 256),
        count=factors,
        replicates=replicates,
        family=st.sampled_from(list(PRODUCT_FAMILIES)),
    )


@pytest.mark.parametrize("name", ["n", "count", "replicates"])
@FEW
@given(p=products(), data=st.data())
def test_no_size_makes_a_product_cheaper_and_twice_the_size_is_dearer(name, p, data):
    more = data.draw(st.integers(getattr(p, name), int(Product.knobs()[name].high)))
    smaller, larger = (
        as_numbers(product_cost(p)),
        as_numbers(product_cost(replace(p, **{name: more}))),
    )
    assert all(a <= b for a, b in zip(smaller, larger, strict=True))
    assert more < 2 * getattr(p, name) or smaller != larger


@pytest.mark.parametrize("replicates", [1, 17, 64, 1000])
def test_one_row_more_makes_no_product_cheaper(replicates):
    """All sizes: where one replicate fewer fits in a group there is a step that few draws meet."""
    found = [
        as_numbers(product_cost(Product(n=n, count=1, replicates=replicates)))
        for n in range(1, 257)
    ]
    assert all(
        a <= b for smaller, larger in pairwise(found) for a, b in zip(smaller, larger, strict=True)
    )


@FEW
@given(products(), SPEEDS, st.floats(1e-3, 1e3))
def test_a_product_that_fits_is_left_alone_and_another_is_made_to_fit(p, speed, most):
    def fits(other: Product) -> bool:
        return speed.seconds(product_cost(other)) <= most

    assume(fits(Product(n=1, count=1, replicates=1, family=p.family)))
    nearest = nearest_that_fits(p, fits, OF_PRODUCTS)
    assert fits(nearest)
    assert (nearest == p) == fits(p)
    assert (nearest.sigma, nearest.family, nearest.seed) == (p.sigma, p.family, p.seed)
    assert all(getattr(nearest, name) <= getattr(p, name) for name in OF_PRODUCTS)


def test_a_product_that_is_too_large_is_refused_with_what_would_fit():
    p, speed = Product(n=256, count=1000, replicates=1000), Speed(1e-4, 4e-11, 4e-11)
    nearest = nearest_that_fits(
        p, lambda other: speed.seconds(product_cost(other)) <= 60, OF_PRODUCTS
    )
    words, sentence = describe_refusal(p, nearest, product_cost(p), speed, 60, 2**31)
    assert nearest != p
    assert sentence.endswith(f"It fits with {words}.")


@pytest.mark.parametrize(
    ("seconds", "memory", "words"),
    [
        (11200, 2**30, "3 hours here, and this page stops at 60 seconds"),
        (50, 30 * 2**30, "30 GB of memory here, and this page stops at 2 GB"),
        (
            300,
            30 * 2**30,
            "5 minutes and 30 GB of memory here, and this page stops at 60 seconds and 2 GB",
        ),
    ],
)
def test_a_refusal_names_what_is_too_much_in_units_that_one_can_imagine(seconds, memory, words):
    assert describe_excess(seconds, memory, 60, 2**31) == words


def test_operations_of_a_product_are_at_least_those_of_its_multiplications():
    p = Product(n=256, count=10, replicates=3)
    assert 33 * 2 * 256**3 <= product_cost(p).operations <= 6 * 33 * 2 * 256**3
