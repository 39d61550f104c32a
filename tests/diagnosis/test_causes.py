"""Causes are told apart: what looks alike in the loss is named by what it is."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from verdict_cases import finding, findings, finished, likely, small

from stability.catalogues.output_activations import OUTPUT_ACTIVATIONS
from stability.diagnosis.changes import single_changes, treated
from stability.diagnosis.evidence import Evidence
from stability.diagnosis.linear_fit import best_linear_loss
from stability.diagnosis.verdicts import Verdict
from stability.records.experiment import Experiment
from stability.text import number

pytestmark = pytest.mark.case
HE = Experiment(schemes=("he_normal",))
ADAM_IN_FLOAT16 = Experiment(schemes=("he_normal",), depth=10, steps=60, optimizer="adam",
                             precision="float16", learning_rate=0.001)  # fmt: skip


def evidence(verdict: Verdict) -> Evidence:
    return verdict.evidence


def test_a_first_loss_far_above_guessing_is_put_down_to_the_size_of_the_logits():
    e = small(schemes=("normal:1",), depth=2, learning_rate=1e-4)
    verdict, first = finding(e), finished(e).measurements[0]
    assert verdict.word == "stalled"
    size = re.search(r"because the logits are too large \(RMS ([\d.]+)\)", verdict.sentence)
    assert float(size[1]) == pytest.approx(first.signal[0, 0, -1], rel=0.05)
    outputs = finding(small(schemes=("normal:1",), depth=2, learning_rate=1e-5, dataset="teacher"))
    assert "because the outputs are too large" in outputs.sentence


def test_tanh_with_weights_far_too_large_is_saturated_and_exploding_and_nothing_vanishes():
    e = small(schemes=("normal:1",), activation="tanh", depth=20, width=64, learning_rate=1e-3)
    for verdict in (likely(e), finding(e)):
        assert verdict.word == "saturated"
        assert "sit where Tanh is flat, and yet nothing vanishes, for each" in verdict.sentence
        assert re.search(r"multiplies the gradient by [\d.]+, from end to end by", verdict.sentence)
        assert "vanishes:" not in verdict.sentence


def test_a_signal_that_float16_rounds_to_zero_vanishes_and_is_not_dead():
    e = small(schemes=("normal:0.01",), depth=10, width=16, precision="float16")
    signal = finished(e).measurements[0].signal[0, 0]
    first_zero = int((signal == 0).argmax()) + 1
    for verdict in (likely(e), finding(e)):
        assert verdict.word == "vanishing"
        assert f"from layer {first_zero} on float16 rounds it to exactly 0" in verdict.sentence
        assert verdict.number == first_zero


def test_one_step_to_zero_is_vanishing_too_and_a_dead_layer_is_not():
    tiny = finding(small(schemes=("normal:1e-30",)))
    assert tiny.word == "vanishing"
    assert "from layer 2 on float32 rounds it to exactly 0" in tiny.sentence
    dead = small(width=2, depth=12)
    assert (finished(dead).measurements[0].signal[0, 0] == 0).any(), "of the layers behind it"
    assert finding(dead).word == "dead"


def test_adam_in_float16_names_the_epsilon_and_its_remedy_cures():
    for verdict in (likely(ADAM_IN_FLOAT16), finding(ADAM_IN_FLOAT16)):
        assert verdict.word == "diverged"
        assert "the 1e-8 that Adam adds before it divides is 0 in float16" in verdict.sentence
    assert verdict.remedy.settings == (("epsilon", 1e-4),)
    assert verdict.remedy.pytorch.endswith("eps=0.0001)")
    cured = finding(treated(ADAM_IN_FLOAT16, "he_normal", verdict.remedy))
    assert cured.word == "learns", cured
    assert "is 0 in" not in finding(replace(ADAM_IN_FLOAT16, epsilon=1e-7)).sentence


def test_what_is_nan_without_being_infinite_first_is_not_called_an_overflow():
    assert finished(ADAM_IN_FLOAT16).breaks[0, 0].value == "NaN"
    e = small(optimizer="rmsprop", precision="float16", depth=10, learning_rate=0.001)
    for experiment in (ADAM_IN_FLOAT16, e):
        assert not re.search("overflow|too large", finding(experiment).sentence)


@pytest.mark.parametrize("settings", [
    {"activation": "tanh", "schemes": ("xavier_normal",), "depth": 10},
    {"optimizer": "rmsprop", "epsilon": 0.1},
])  # fmt: skip
def test_an_epsilon_larger_than_the_gradients_is_named_and_a_small_one_cures(settings):
    e = replace(small(optimizer="adam", learning_rate=0.001), epsilon=1.0)
    e = replace(e, **settings)
    for verdict in (likely(e), finding(e)):
        assert verdict.word in ("stalled", "slow")
        assert f"plus an epsilon of {e.epsilon:g}, which is far more" in verdict.sentence
        assert verdict.remedy.label == "Make epsilon small"
        assert verdict.remedy.settings == (("epsilon", 1e-6),)
    assert finding(treated(e, e.schemes[0], verdict.remedy)).word == "learns"
    learns = finding(replace(e, epsilon=1.0, learning_rate=0.1, optimizer="adam"))
    assert "epsilon" not in learns.sentence


@pytest.mark.parametrize("settings", [
    {"depth": 10},
    {"depth": 10, "activation": "tanh", "bias_std": 3.0, "schemes": ("xavier_normal",)},
    {"depth": 4, "dataset": "sine"},
])  # fmt: skip
def test_biases_that_drown_the_inputs_are_named_and_to_start_them_at_0_cures(settings):
    e = replace(HE, **{"bias_std": 10.0, **settings})
    verdict = finding(e)
    assert f"The first biases have a standard deviation of {e.bias_std:g}," in verdict.sentence
    assert verdict.remedy.label == "Start the biases at 0"
    assert finding(treated(e, e.schemes[0], verdict.remedy)).word == "learns"
    learns = finding(replace(e, bias_std=0.5))
    assert "biases" not in learns.sentence


LONG_STEPS = {
    "one example": ({"depth": 10, "batch": 1, "learning_rate": 0.1}, {"learning_rate"}),
    "fast": ({"depth": 5, "learning_rate": 1.0}, {"learning_rate"}),
    "a line": ({"depth": 3, "learning_rate": 0.5, "dataset": "sine"}, {"learning_rate"}),
    "momentum": ({"depth": 6, "learning_rate": 0.3, "optimizer": "momentum"}, {"learning_rate"}),
}


@pytest.mark.parametrize("name", LONG_STEPS)
def test_where_only_the_steps_are_too_long_the_remedy_makes_them_shorter_and_cures(name):
    settings, changed = LONG_STEPS[name]
    e = replace(HE, **settings)
    verdict = finding(e)
    assert verdict.word == "diverged"
    assert "The start was healthy, but" in verdict.sentence
    assert changed <= {key for key, _value in verdict.remedy.settings}
    assert finding(treated(e, e.schemes[0], verdict.remedy)).word == "learns"


UNSCALED = {
    "pixels": {"input_scale": 77.0, "input_offset": 0.4},
    "small": {"input_scale": 0.001},
    "positive": {"input_offset": 30.0},
    "small and tanh": {"input_scale": 0.003, "activation": "tanh"},
}


@pytest.mark.parametrize("name", UNSCALED)
def test_inputs_that_nobody_scaled_are_named_and_to_scale_them_cures(name):
    e = small(**UNSCALED[name], learning_rate=0.1)
    for verdict in (likely(e), finding(e)):
        assert verdict.word != "learns"
        words = "not centred" if name == "positive" else "not scaled"
        assert f"The inputs are {words}: their" in verdict.sentence
        assert verdict.remedy.label == "Scale the inputs"
    cured = finding(treated(e, "he_normal", verdict.remedy))
    assert cured.word == "learns", cured
    assert "inputs" not in cured.sentence


@pytest.mark.parametrize("settings", [
    {"target_scale": 300.0}, {"target_offset": 20.0}, {"target_scale": 1e-3, "dataset": "sine"},
])  # fmt: skip
def test_targets_that_nobody_scaled_are_named_and_to_scale_them_cures(settings):
    e = small(dataset="linear", learning_rate=0.05, samples=512, steps=150, features=8)
    e = replace(e, **settings)
    verdict = finding(e)
    assert verdict.word != "learns"
    words = "not centred" if "target_offset" in settings else "not scaled"
    assert f"The targets are {words}: their" in verdict.sentence
    assert verdict.remedy.label == "Scale the targets"
    cured = finding(treated(e, "he_normal", verdict.remedy))
    assert cured.word == "learns", cured
    if "target_offset" in settings:
        assert "because the targets are far from 0 (RMS 20)" in likely(e).sentence


def test_weights_of_one_sign_are_named_and_to_draw_them_around_0_cures():
    e = small(weight_mean=math.sqrt(3), schemes=("he_uniform",), learning_rate=0.05)
    for verdict in (likely(e), finding(e)):
        assert verdict.word != "learns"
        assert "The first weights are mostly positive, as by rand" in verdict.sentence
        assert verdict.remedy.label == "Draw the weights around 0"
    cured = finding(treated(e, "he_uniform", verdict.remedy))
    assert cured.word == "learns", cured


def test_a_warm_up_that_the_run_does_not_outlast_is_named_and_to_leave_it_out_cures():
    e = small(learning_rate=0.1, warmup=3000)
    for verdict in (likely(e), finding(e)):
        assert verdict.word != "learns"
        words = "in 60 steps the learning rate only rises to 2 % of its value"
        assert f"The warm-up is longer than the run: {words}." in verdict.sentence
        assert verdict.remedy.label == "Leave out the warm-up"
    assert finding(treated(e, "he_normal", verdict.remedy)).word == "learns"
    assert "warm-up" not in finding(small(learning_rate=0.1, warmup=60)).sentence


@pytest.mark.parametrize("key", [key for key in OUTPUT_ACTIVATIONS if key != "none"])
@pytest.mark.parametrize("dataset", ["blobs", "linear"])
def test_a_function_before_the_loss_is_named_and_to_leave_it_out_cures(key, dataset):
    e = small(dataset=dataset, output_activation=key, learning_rate=0.1, features=8, depth=2)
    if key == "relu" and dataset == "blobs":
        e = small(output_activation=key, schemes=("normal:0.5",), learning_rate=0.1)
    verdict = finding(e)
    assert verdict.word != "learns", verdict
    assert f"A {OUTPUT_ACTIVATIONS[key].label} stands before the loss, and " in verdict.sentence
    assert verdict.remedy.label == "Leave out the output activation"
    cured = finding(treated(e, e.schemes[0], verdict.remedy))
    assert cured.word == "learns", cured


def test_two_softmaxes_keep_the_loss_of_the_surest_answer_above_a_bound_that_is_foretold():
    e = small(output_activation="softmax")
    sure = torch.nn.functional.one_hot(torch.arange(10), 10).double()
    bound = torch.nn.functional.cross_entropy(sure, torch.arange(10)).item()
    assert e.output_row.least_loss(10) == pytest.approx(bound)
    assert f"no loss below {number(bound)} is possible" in likely(e).sentence
    assert "cannot fall below 63 % of that of guessing" in likely(e).sentence
    assert likely(e).word == "slow"


def test_a_smaller_readout_lowers_the_first_loss_to_that_of_guessing():
    for gain, low, high in ((8.0, 3.0, 30.0), (0.0, 1 - 1e-6, 1 + 1e-6)):
        start = likely(small(readout_gain=gain)).evidence.start
        assert low < start.relative_loss < high


def test_of_a_network_that_learns_no_fault_is_named():
    e = small(input_scale=77.0, normalization="layer", optimizer="adam", learning_rate=0.01)
    verdict = finding(e)
    assert verdict.word == "learns"
    assert "inputs" not in verdict.sentence


@pytest.mark.parametrize("settings", [
    {"learning_rate": 0.002, "steps": 150},
    {"learning_rate": 1e-4, "optimizer": "adam", "steps": 150},
])  # fmt: skip
def test_updates_that_bfloat16_rounds_away_are_named(settings):
    e = small(precision="bfloat16", **settings)
    verdict, lost = finding(e), finished(e).measurements[-1].lost_updates[0, 0].mean()
    assert lost > 0.5
    assert verdict.sentence.startswith(f"bfloat16 rounds {lost:.0%}".replace("%", " %"))
    assert verdict.remedy.settings == (("precision", "float32"),)


@pytest.mark.parametrize("settings", [
    {"schemes": ("normal:1e-3",), "depth": 8, "precision": "float64"},
    {"schemes": ("normal:0.01",), "depth": 10},
    {"width": 2, "depth": 12, "activation": "leaky_relu"},
    {"schemes": ("xavier_normal",), "depth": 20, "activation": "sigmoid"},
    {"schemes": ("orthogonal",), "depth": 20, "activation": "sigmoid", "precision": "bfloat16"},
])  # fmt: skip
def test_rounding_is_not_blamed_for_a_gradient_that_has_vanished(settings):
    """It makes updates so small that any format rounds them away."""
    e = small(**settings)
    assert finished(e).measurements[-1].lost_updates[0, 0].mean() > 0.5
    verdict = finding(e)
    assert verdict.word == "vanishing"
    assert "of the updates" not in verdict.sentence
    assert ("precision", "float32") not in verdict.remedy.settings


def test_flat_weight_gradients_are_said_to_look_alike_and_zeros_are_not():
    fading = likely(small(schemes=("xavier_normal",), depth=20, width=32))
    assert fading.word == "vanishing"
    assert fading.sentence.endswith(
        "; yet weight gradients look even, as signals shrink toward the output."
    )
    for scheme in ("zeros", "normal:1e-30", "constant"):
        for verdict in (likely(small(schemes=(scheme,))), finding(small(schemes=(scheme,)))):
            assert "look even" not in verdict.sentence, verdict
    vanished = small(schemes=("normal:0.01",), depth=20, width=32, precision="float16")
    assert (finished(vanished).measurements[0].weight_gradient[0, 0] == 0).any()
    assert "look even" not in finding(vanished).sentence


def test_fixup_is_no_disease():
    e = small(schemes=("fixup",), residual=True, depth=8)
    assert likely(e).word in ("learns", "slow", "stalled")
    assert finding(e).word == "learns"
    still = finding(small(schemes=("fixup",), residual=True, depth=8, learning_rate=1e-5, steps=10))
    assert still.word == "stalled"


@pytest.mark.parametrize("layers", [1, 2])
def test_branches_that_start_at_zero_are_no_disease(layers):
    """Their weights get no gradient before the first step, and all that they need later."""
    e = small(schemes=("he_normal",), residual=True, branch_layers=layers, depth=16,
              branch_scale="learned")  # fmt: skip
    assert likely(e).word in ("learns", "slow", "stalled")
    assert finding(e).word == "learns"


def test_branches_that_double_the_variance_explode_and_a_smaller_scale_cures():
    e = small(schemes=("he_normal",), residual=True, depth=40, learning_rate=0.05, width=32)
    assert finding(e).word in ("exploding", "diverged")
    remedies = dict(single_changes(e, "he_normal"))
    for key in ("root_depth", "learned"):
        cured = remedies[f"branches {key}"].apply(e, "he_normal")
        assert finding(cured).word == "learns", key
    plain = dict(single_changes(replace(e, residual=False), "he_normal"))
    assert not any(key.startswith("branches") for key in plain)


def test_replicates_with_a_dead_layer_are_counted():
    e = small(width=3, depth=10, replicates=5)
    count = (finished(e).measurements[0].dead[0].max(axis=1) >= 0.9).sum()
    assert 1 <= count < 5
    for verdict in (likely(e), finding(e)):
        assert verdict.word == "dead"
        assert f"in {count} of 5 replicates all units of layer " in verdict.sentence


def test_a_network_that_stands_at_the_best_linear_fit_is_said_to():
    bent = small(dataset="xor", depth=2, samples=512, learning_rate=0.1, schemes=("normal:0.001",))
    linear_units = small(dataset="xor", depth=2, samples=512, learning_rate=0.1, steps=100,
                         activation="linear")  # fmt: skip
    straight = small(dataset="sine", depth=1, learning_rate=0.1, steps=100, schemes=("zeros",))
    for e, ending in ((bent, "the network does no better than a line."),
                      (straight, "and no linear network does better."),
                      (linear_units, "and no linear network does better.")):  # fmt: skip
        verdict, linear = finding(e), best_linear_loss(e)
        assert evidence(verdict).last_loss == pytest.approx(linear, rel=0.03)
        assert f"The best linear function also reaches only {number(linear)}" in verdict.sentence
        assert ending in verdict.sentence


def test_a_start_that_vanished_and_yet_learns_with_adam_is_said_to():
    e = small(schemes=("xavier_normal", "he_normal"), depth=16, width=32, optimizer="adam",
              learning_rate=0.003, steps=100)  # fmt: skip
    vanished, healthy = findings(e)
    assert vanished.word == healthy.word == "learns"
    assert "vanished at the start; Adam trains the network all the same." in vanished.sentence
    assert "vanished" not in healthy.sentence


def test_biases_may_hold_the_signal_up_while_what_differs_between_examples_is_gone():
    e = small(schemes=("normal:0.05",), depth=6, width=32, bias_std=1.0)
    first = finished(e).measurements[0]
    signal, spread = (np.divide(*values[0, 0, [-2, 0]]) for values in (first.signal, first.spread))
    assert signal > 0.1 > 100 * spread / 10
    for verdict in (likely(e), finding(e)):
        assert verdict.word == "vanishing"
        assert "he difference between examples vanishes" in verdict.sentence
        assert "the signal" not in verdict.sentence
        assert verdict.number == pytest.approx(spread ** (1 / 4), rel=1e-6)


def test_where_the_start_was_healthy_divergence_is_put_down_to_the_size_of_the_steps():
    verdict = finding(small(learning_rate=20.0))
    assert "The start was healthy, but a step is too long" in verdict.sentence
    assert dict(verdict.remedy.settings)["learning_rate"] <= 0.02
    sick = finding(small(schemes=("normal:1",), depth=20))
    assert sick.word == "diverged"
    assert "healthy" not in sick.sentence
    assert "From the start each hidden layer multiplies" in sick.sentence


def test_a_network_that_learns_slowly_names_the_disease_that_it_had_from_the_start():
    slow = finding(small(schemes=("constant",)))
    assert slow.word == "slow"
    assert "From the start all units of a layer compute the same" in slow.sentence
    assert "From the start" not in finding(small(learning_rate=0.02)).sentence


def test_a_promise_that_the_network_surpassed_is_not_called_its_limit():
    e = Experiment(schemes=("normal:0.1",), depth=16, width=32, samples=128, batch=32, steps=100,
                   optimizer="adam", learning_rate=0.003)  # fmt: skip
    verdict = finding(e)
    assert verdict.word in ("slow", "learns")
    promised = 10 ** evidence(verdict).start.log_predicted_drop
    assert 1 - evidence(verdict).last_loss / math.log(10) > promised
    assert "at the initial slope" not in verdict.sentence


@pytest.mark.parametrize("settings", [
    {"weight_decay": 1.0},
    {"weight_decay": 0.3, "optimizer": "momentum", "learning_rate": 0.005},
    {"weight_decay": 10.0, "optimizer": "adamw", "learning_rate": 0.02},
])  # fmt: skip
def test_a_decay_that_outweighs_the_gradient_is_named_and_left_out(settings):
    e = small(depth=8, steps=200, **settings)
    verdict, weights = finding(e), [finished(e).measurements[step].weight[0, 0] for step in (0, -1)]
    shrunk = (weights[1] / weights[0]).prod() ** (1 / e.depth)
    assert shrunk < 0.5
    assert verdict.sentence.startswith("Weight decay outweighs the gradient: by step 200")
    assert verdict.remedy.settings == (("weight_decay", 0.0),)
    assert finding(replace(e, weight_decay=0.0)).word == "learns"


@pytest.mark.parametrize("settings", [
    {"weight_decay": 0.3, "optimizer": "adam"},
    {"weight_decay": 0.1, "optimizer": "adam", "activation": "tanh", "schemes": ("xavier_normal",)},
])  # fmt: skip
def test_a_decay_that_an_optimizer_divides_with_the_gradient_is_named_before_the_weights_fade(
    settings,
):
    e = small(depth=8, steps=200, learning_rate=0.001, **settings)
    verdict, first = finding(e), finished(e).measurements[0]
    pull = e.weight_decay * first.weight[0, 0] / first.weight_gradient[0, 0]
    assert (
        f"pulls at the weights {number(pull.prod() ** (1 / e.depth))} times as" in verdict.sentence
    )
    assert verdict.remedy.settings == (("weight_decay", 0.0),)
    assert finding(replace(e, weight_decay=0.0)).word == "learns"
    assert "decay" not in finding(replace(e, optimizer="adamw", weight_decay=0.3)).sentence


@pytest.mark.parametrize("settings", [
    {"clip": 1e-4}, {"clip": 0.001, "optimizer": "momentum", "learning_rate": 0.002},
])  # fmt: skip
def test_a_clip_that_leaves_next_to_nothing_of_the_gradient_is_named_and_left_out(settings):
    e = small(depth=8, steps=200, **settings)
    verdict, first = finding(e), finished(e).measurements[0]
    assert e.clip < 0.01 * first.gradient_norm[0, 0]
    assert f"Clipping at {e.clip:g} leaves less than 1 % of the gradient" in verdict.sentence
    assert verdict.remedy.settings == (("clip", 0.0),)
    assert finding(replace(e, clip=0.0)).word == "learns"


def test_a_clip_is_not_blamed_for_a_small_learning_rate():
    verdict = finding(small(learning_rate=1e-6, clip=1.0))
    assert verdict.word == "stalled"
    assert "lipping" not in verdict.sentence


def test_wrong_labels_are_named_and_set_right():
    e = small(depth=8, steps=200, label_noise=1.0)
    verdict = finding(e)
    assert "100 % of the training labels are wrong" in verdict.sentence
    assert verdict.remedy.label == "Set the labels right"
    assert finding(replace(e, label_noise=0.0)).word == "learns"
