"""Remedies are legal, differ, change something, are not on the page already, and cure."""

from dataclasses import replace

import numpy as np
import pytest
from verdict_cases import finding, findings, likely, sample, small

from stability.catalogues.number_formats import FORMATS, PRECISIONS
from stability.diagnosis.changes import alone, single_changes, treated
from stability.diagnosis.prior import PATIENCE, ranked_changes
from stability.diagnosis.remedies import scheme_remedy
from stability.diagnosis.verdicts import Verdict
from stability.engine.training import measure
from stability.records.experiment import Experiment
from stability.records.experiment_settings import MOST_SCHEMES

VARIED = (
    small(depth=1, dataset="sine"),
    small(depth=2, schemes=("normal:0.3",), activation="tanh"),
    small(depth=5, schemes=("uniform:0.2",), residual=True, normalization="layer", clip=0.5),
    small(depth=6, schemes=("constant",), optimizer="adam", dropout=0.2, weight_decay=0.01,
          learning_rate=0.01),
    small(depth=8, schemes=("he_uniform",), activation="gelu", precision="float16", batch=8),
)  # fmt: skip
IDS = [f"depth {e.depth}" for e in VARIED]


def curve(e: Experiment, steps: int = 2) -> np.ndarray:
    return np.array([m.loss[0, 0] for m in measure(replace(e, steps=steps))])


def sick_networks() -> list[tuple[Experiment, Verdict]]:
    """Return those of a part of the sample: a remedy costs as much as a short run."""
    return [
        (run.experiment, verdict)
        for run in sample()[:4]
        for verdict in findings(run.experiment)
        if verdict.word != "learns"
    ]


@pytest.mark.parametrize("e", VARIED, ids=IDS)
def test_no_single_change_is_tried_twice_or_is_the_network_itself(e):
    (scheme,) = e.schemes
    changed = [treated(e, scheme, remedy) for _, remedy in single_changes(e, scheme)]
    assert None not in changed
    assert len(set(changed)) == len(changed) > 10
    assert alone(e, scheme) not in changed


@pytest.mark.parametrize("e", VARIED, ids=IDS)
def test_every_single_change_but_patience_and_clipping_changes_the_loss(e):
    """Clipping shows only where a gradient is large, and patience only in the end."""
    (scheme,) = e.schemes
    plain = curve(e)
    for key, remedy in single_changes(e, scheme):
        if key != PATIENCE and "clip" not in dict(remedy.settings):
            assert not np.array_equal(curve(treated(e, scheme, remedy)), plain), key


def test_changes_without_an_effect_are_not_among_the_single_changes():
    def keys(e: Experiment) -> set[str]:
        return {key for key, _ in single_changes(e, e.schemes[0])}

    assert not {"residual on", "residual off"} & keys(small(depth=2))
    assert "residual on" in keys(small(depth=3))
    shallow = keys(small(depth=1))
    assert not [key for key in shallow if key.startswith(("normalization", "activation"))]
    assert not {"width", "no dropout", "residual on"} & shallow
    same_variance = {remedy.scheme for _, remedy in single_changes(small(), "he_uniform")}
    assert "he_normal" not in same_variance
    assert "xavier_normal" in same_variance


@pytest.mark.parametrize("precision", PRECISIONS)
def test_float32_is_tried_only_in_place_of_a_coarser_format(precision):
    found = {key for key, _ in single_changes(small(precision=precision), "he_normal")}
    coarser = PRECISIONS[precision].epsilon > FORMATS["float32"].epsilon
    assert ("float32" in found) == coarser


def test_single_changes_are_ranked_and_none_is_lost():
    e = small(schemes=("normal:0.01", "he_normal"), depth=8)
    ranked = ranked_changes(e, "normal:0.01")
    assert sorted(key for key, _ in ranked) == sorted(
        key for key, _ in single_changes(e, "normal:0.01")
    )


def test_every_remedy_makes_a_legal_experiment_that_differs_and_keeps_the_seed_and_the_data():
    for e, verdict in sick_networks():
        remedy = verdict.remedy
        assert remedy, verdict
        changed = remedy.apply(e, verdict.scheme)
        assert changed != e
        assert (changed.seed, changed.dataset) == (e.seed, e.dataset)
        assert bool(remedy.scheme) != bool(remedy.settings)
        assert remedy.scheme not in e.schemes
    assert all(verdict.remedy is None for run in sample() for verdict in findings(run.experiment)
               if verdict.word == "learns")  # fmt: skip


def test_patience_is_never_suggested_where_the_curve_is_flat():
    flat = [(e, verdict) for e, verdict in sick_networks() if not verdict.evidence.is_falling]
    assert flat
    for e, verdict in flat:
        assert dict(verdict.remedy.settings).get("steps", e.steps) == e.steps, verdict
    assert likely(small(learning_rate=0.01)).evidence.is_falling is False, "nothing is known yet"


def test_patience_is_suggested_where_it_promises_most_and_the_loss_still_falls():
    verdict = finding(small(learning_rate=0.02))
    assert verdict.evidence.is_falling
    assert verdict.remedy.settings == (("steps", 180),)
    assert finding(treated(small(learning_rate=0.02), "he_normal", verdict.remedy)).word == "learns"


def test_what_is_on_the_page_already_is_not_suggested():
    lonely = small(schemes=("zeros",))
    suggested = finding(lonely).remedy.scheme
    assert suggested
    both = replace(lonely, schemes=("zeros", suggested))
    assert finding(both).remedy.scheme != suggested


def test_a_scheme_as_a_remedy_stands_beside_the_sick_one_or_in_its_place_where_all_are_shown():
    e = small(schemes=("xavier_normal", "zeros"))
    remedy = scheme_remedy(e, "he_normal")
    assert remedy.apply(e, "xavier_normal").schemes == ("xavier_normal", "he_normal", "zeros")
    others = tuple(f"normal:0.0{digit}" for digit in range(1, MOST_SCHEMES))
    full = replace(e, schemes=("zeros", *others))
    expected = tuple("he_normal" if text == "normal:0.02" else text for text in full.schemes)
    assert remedy.apply(full, "normal:0.02").schemes == expected


@pytest.mark.case
@pytest.mark.parametrize("e", [
    small(learning_rate=1e-5),
    small(learning_rate=20.0),
    small(schemes=("xavier_normal",), depth=16, steps=100),
    small(schemes=("zeros",), learning_rate=0.1),
    small(schemes=("normal:1e6",), depth=5, learning_rate=0.1),
    small(precision="bfloat16", learning_rate=0.004),
], ids=["stalled", "diverged", "vanishing", "symmetric", "overflowed", "rounding"])  # fmt: skip
def test_remedies_after_one_another_cure(e):
    scheme = e.schemes[0]
    for _ in range(4):  # a rate that is 1000 times off takes several
        verdict = finding(e)
        if verdict.word == "learns":
            return
        e = treated(e, scheme, verdict.remedy)
        scheme = e.schemes[0]
    assert finding(e).word == "learns", finding(e)


@pytest.mark.case
@pytest.mark.parametrize(("key", "settings"), [
    ("warm-up", {"optimizer": "adam", "learning_rate": 0.1, "normalization": "layer"}),
    ("cosine", {"learning_rate": 0.3}),
])  # fmt: skip
def test_where_the_first_or_the_last_steps_are_too_long_a_schedule_cures(key, settings):
    e = small(depth=8, **settings)
    assert finding(e).word != "learns"
    remedy = dict(single_changes(e, "he_normal"))[key]
    assert finding(treated(e, "he_normal", remedy)).word == "learns"


def test_no_changed_network_is_drawn_before_a_remedy_is_read():
    before = ranked_changes.cache_info().misses
    verdict = finding(small(learning_rate=1.1e-5))
    assert ranked_changes.cache_info().misses == before
    assert verdict.remedy
    assert ranked_changes.cache_info().misses == before + 1
