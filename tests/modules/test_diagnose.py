"""The diagnosis of modules: what it finds, and that it leaves no trace."""

import copy
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from all_networks import CASES
from torch import nn
from torch.nn.modules import module as module_file

from stability import diagnose
from stability.modules.safekeeping import untouched


def state_of(module, inputs):
    """Everything that a look might change, in a form that can be compared."""
    hooks = [len(value) for name, value in vars(module_file).items()
             if name.startswith("_global_") and hasattr(value, "__len__")]  # fmt: skip
    parts = [
        (name, part.training, len(part._forward_hooks), len(part._forward_pre_hooks),
         sorted(vars(part)))
        for name, part in module.named_modules()
    ]  # fmt: skip
    tensors = dict(module.state_dict(keep_vars=True)) | dict(module.named_parameters())
    values = {name: (id(t), t.requires_grad, t.detach().clone(),
                     None if t.grad is None else (id(t.grad), t.grad.clone()))
              for name, t in tensors.items()}  # fmt: skip
    rng = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    given = [t.detach().clone() for t in inputs]
    return hooks, parts, values, rng, given, torch.is_grad_enabled()


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(torch.nan_to_num(one.float()), torch.nan_to_num(other.float()))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


class Busy(nn.Module):
    """A module that draws, counts, caches and normalizes whenever it is called."""

    def __init__(self, fails=False):
        super().__init__()
        self.inner, self.norm = nn.Linear(6, 12), nn.BatchNorm1d(12)
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(12, 3)
        self.register_buffer("average", torch.zeros(12))
        self.calls, self.seen, self.memory = 0, [], {"last": torch.zeros(2)}
        self.loose = [torch.ones(12)]
        self.fails = fails

    def forward(self, x):
        self.calls += 1
        with torch.no_grad():
            self.loose[0].mul_(1.1)
        h = self.drop(torch.tanh(self.norm(self.inner(x)))) * self.loose[0]
        self.seen.append(self.calls)
        with torch.no_grad():
            self.average.mul_(0.9).add_(h.mean(0))
        self.memory["last"] = h.detach()
        self.extra = x
        h = h + 0.01 * torch.randn_like(h) + random.random() * 0 + np.random.rand() * 0
        if self.fails:
            raise RuntimeError("the module's own fault")
        return self.head(h)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("with_loss", [False, True])
def test_a_look_leaves_no_trace(fails, with_loss):
    module, x, y = Busy(fails), torch.randn(16, 6), torch.arange(16) % 3
    module.norm.eval()
    module.inner.weight.grad = torch.ones(12, 6)
    module.head.bias.requires_grad_(False)
    loose, memory = module.loose[0].clone(), module.memory["last"]
    known = (y, F.cross_entropy) if with_loss else ()
    before = state_of(module, [x])
    with torch.no_grad():
        before = (*before[:-1], False)
        if fails:
            with pytest.raises(RuntimeError, match="own fault"):
                diagnose(module, x, *known)
        else:
            diagnose(module, x, *known)
        assert same(before, state_of(module, [x]))
    assert (module.calls, module.seen) == (0, [])
    assert torch.equal(module.loose[0], loose)
    assert module.memory["last"] is memory


def test_a_loss_that_raises_comes_through_and_leaves_no_trace():
    module, x = Busy(), torch.randn(8, 6)
    before = state_of(module, [x])

    def loss(out, y):
        raise ZeroDivisionError("in the loss")

    with pytest.raises(ZeroDivisionError, match="in the loss"):
        diagnose(module, x, x, loss)
    assert same(before, state_of(module, [x]))


def test_two_looks_say_the_same():
    for name in ("dropout-half", "makemore", "zero-gate"):
        module, inputs, targets, loss = CASES[name].make()
        first, second = (diagnose(module, inputs, targets, loss) for _ in range(2))
        assert first.findings == second.findings
        assert first.frame.equals(second.frame)


def test_a_healthy_module_of_every_layer_has_a_row_for_each_leaf():
    module, inputs, targets, loss = CASES["lstm-tagger"].make()
    frame = diagnose(module, inputs, targets, loss).frame
    assert list(frame["layer"]) == ["emb", "lstm", "head"]
    assert list(frame["kind"]) == ["Embedding", "LSTM", "Linear"]
    assert (frame["fan_in"][1], frame["fan_in"][2], frame["fan_out"][2]) == (24, 48, 5)
    assert (frame[["signal", "signal_gradient", "weight_gradient"]] > 0).all(axis=None)


def test_the_table_holds_what_plain_autograd_gives():
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    x, y = torch.randn(32, 5), torch.arange(32) % 3
    z = module[0](x)
    loss = F.cross_entropy(module[2](module[1](z)), y)
    gradient_z, gradient_w = torch.autograd.grad(loss, [z, module[0].weight])
    z = z.detach()
    row = diagnose(module, x, y, F.cross_entropy).frame.iloc[0]
    assert row["signal"] == pytest.approx(float(z.square().mean().sqrt()), rel=1e-5)
    assert row["spread"] == pytest.approx(float((z - z.mean(0)).square().mean().sqrt()), rel=1e-5)
    expected = 32 * float(gradient_z.square().mean().sqrt())
    assert row["signal_gradient"] == pytest.approx(expected, rel=1e-5)
    assert row["weight_gradient"] == pytest.approx(float(gradient_w.norm()), rel=1e-5)
    assert row["looks_like"] == "pytorch"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.ReLU(), "no parameters"),
        (nn.Linear(2, 2, device="meta"), "meta device"),
        (nn.LazyLinear(3), "lazy"),
        ("not a module", r"torch\.nn\.Module"),
    ],
)
def test_a_module_of_which_nothing_can_be_said_is_refused_in_a_sentence(module, words):
    with pytest.raises(ValueError, match=words):
        diagnose(module, torch.randn(2, 2))


def test_inputs_of_the_wrong_shape_raise_what_the_module_raises():
    with pytest.raises(RuntimeError, match="shapes"):
        diagnose(nn.Linear(3, 2), torch.randn(4, 5))


def test_a_diagnosis_reads_as_a_letter_in_a_terminal_and_in_a_notebook():
    module, inputs, targets, loss = CASES["sigmoid-20"].make()
    diagnosis = diagnose(module, inputs, targets, loss)
    assert not diagnosis.healthy
    assert str(diagnosis).splitlines()[0] == "1 finding in 20 layers:"
    assert "vanishing at block1" in str(diagnosis)
    assert "Try: stability.repair" in repr(diagnosis)
    assert "<code>stability.repair(model, inputs)</code>" in diagnosis._repr_html_()
    spec = diagnosis.chart().to_dict()
    assert len(spec["vconcat"]) == 3


def test_views_and_tied_storages_come_back_as_they_were():
    base = torch.zeros(4)
    module = nn.Linear(2, 2)
    module.view, module.wide = base[:2], torch.zeros(1).expand(3)
    with untouched(module):
        base.add_(1)
        module.view = torch.ones(3)
        module.weight.data = torch.zeros(5)
    assert torch.equal(base, torch.zeros(4))
    assert module.view.data_ptr() == base.data_ptr()
    assert (module.weight.shape, module.wide.shape) == ((2, 2), (3,))


def test_a_deep_copy_says_the_same():
    module, inputs, targets, loss = CASES["zero-gate"].make()
    said = diagnose(module, inputs, targets, loss).findings
    assert diagnose(copy.deepcopy(module), inputs, targets, loss).findings == said


def test_the_chart_says_in_words_which_layers_are_exactly_0():
    module, inputs, targets, loss = CASES["zeros-relu"].make()
    spec = diagnose(module, inputs, targets, loss).chart().to_json()
    assert '"exactly 0: 0, 2 and 4"' in spec


def test_a_batch_of_two_standard_normal_rows_is_no_fault_of_scale():
    torch.manual_seed(0)
    said = diagnose(nn.Linear(5000, 4), torch.randn(2, 5000)).findings
    assert "input_scale" not in {finding.kind for finding in said}


def test_inputs_that_were_made_for_inference_are_taken_and_such_a_module_is_refused():
    with torch.inference_mode():
        x, module = torch.randn(16, 3), nn.Linear(3, 2)
    plain = nn.Linear(3, 2)
    with torch.inference_mode():
        assert diagnose(plain, x).healthy
    with pytest.raises(ValueError, match="inference_mode"):
        diagnose(module, x)


@pytest.mark.filterwarnings("ignore")  # torch announces that its quantisation moves
def test_a_quantised_module_is_refused_in_a_sentence():
    plain = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    module = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear})
    with pytest.raises(ValueError, match="quantised"):
        diagnose(module, torch.randn(2, 3))
