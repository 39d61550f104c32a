"""A watched training: its numbers against plain autograd, which steps count, and what is left."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from stability import watch


class Net(nn.Module):
    """Two layers called through a list, one of them behind a checkpoint, and a head."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 8), nn.Linear(8, 8)])
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.layers[0](x).relu_()
        x = checkpoint(self.layers[1], x, use_reentrant=False).tanh()
        return self.head(x)


def make():
    torch.manual_seed(0)
    net = Net()
    return net, torch.optim.SGD(net.parameters(), lr=0.1), torch.randn(10, 6)


def take_step(net, optimizer, x, seen=None):
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if seen:
        seen.note_loss(loss)
    return loss.detach()


def hooks_of(net):
    kinds = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks"
    found = [getattr(part, kind) for part in net.modules() for kind in kinds]
    return [hook for hooks in [*found, *(p._backward_hooks for p in net.parameters())]
            for hook in hooks or ()]  # fmt: skip


def test_each_number_is_that_of_plain_autograd():
    net, optimizer, x = make()
    z = net.layers[0](x)
    z.retain_grad()
    loss = net.head(net.layers[1](z.relu()).tanh()).square().mean()
    loss.backward()
    before = net.layers[0].weight.detach().clone()
    gradients = [p.grad.clone() for p in net.parameters()]
    with watch(net) as seen:
        take_step(net, optimizer, x, seen)
    row = seen.frame.iloc[0]
    gradient, total = gradients[0], torch.cat([g.flatten() for g in gradients]).norm()
    expected = {
        "signal": z.detach().square().mean().sqrt(),
        "spread": z.detach().std(0, correction=0).square().mean().sqrt(),
        "signal_gradient": 10 * z.grad.square().mean().sqrt(),
        "weight_gradient": gradient.norm(), "weight": before.norm(), "update": 0.1 * gradient.norm()
    }  # fmt: skip
    assert (row.step, row.layer, row.kind) == (0, "layers.0", "Linear")
    for name, value in expected.items():
        assert row[name] == pytest.approx(float(value), rel=1e-4), name
    assert seen.curves.gradient_norm[0] == pytest.approx(float(total), rel=1e-5)
    assert seen.curves.loss[0] == pytest.approx(float(loss.detach()))
    assert list(seen.frame.layer) == ["layers.0", "layers.1", "head"]


@pytest.mark.parametrize(("every", "recorded"), [(1, [0, 1, 2, 3]), (3, [0, 3]), ((1, 2), [1, 2])])
def test_passes_that_do_not_train_are_no_steps(every, recorded):
    net, optimizer, x = make()
    with watch(net, every) as seen:
        for _ in range(4):
            net(x)  # nobody goes back from here
            net.eval()
            net(x)
            net.train()
            with torch.no_grad():
                net(x)
            take_step(net, optimizer, x)
        net(x)
    assert list(seen.curves.step) == recorded
    assert list(seen.frame.step.unique()) == recorded
    assert seen.frame.notna().all(axis=None)


def test_watching_changes_nothing_and_leaves_no_hook_also_after_an_error():
    plain, optimizer, x = make()
    expected = [take_step(plain, optimizer, x) for _ in range(3)]
    net, optimizer, x = make()
    seen = watch(net)
    losses = []

    def train():
        with seen:
            losses.extend(take_step(net, optimizer, x) for _ in range(3))
            net(x[:, :5])

    with pytest.raises(RuntimeError, match="mat1"):
        train()
    assert losses == expected
    assert not hooks_of(net)
    assert list(seen.curves.step) == [0, 1, 2]


def test_between_recorded_steps_only_the_whole_has_hooks():
    net, optimizer, x = make()
    with watch(net, every=100):
        take_step(net, optimizer, x)
        take_step(net, optimizer, x)
        waiting = len(hooks_of(net))
        net(x)
        assert len(hooks_of(net)) == waiting == 2


def test_parts_called_by_a_trainer_are_steps_too():
    net, optimizer, x = make()
    net.training_step = lambda: net.head(net.layers[1](net.layers[0](x))).square().mean()
    with watch(net) as seen:
        for _ in range(2):
            optimizer.zero_grad()
            net.training_step().backward()
            optimizer.step()
    assert list(seen.frame.step) == [0, 0, 0, 1, 1, 1]
    assert seen.frame.signal_gradient.notna().all()


def test_the_chart_has_curves_and_profiles():
    net, optimizer, x = make()
    with watch(net) as seen:
        with pytest.raises(ValueError, match="no step has been recorded"):
            seen.chart()
        for _ in range(12):
            take_step(net, optimizer, x)
    titles = [panel["title"]["text"] for panel in seen.chart().to_dict()["vconcat"]]
    assert titles[0] == "Gradient norm (log)"  # no loss was noted
    assert [title.split(" by")[0] for title in titles[1:]] == [
        "Signal", "Signal gradient", "Weight gradient"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [((nn.ReLU(), 0), ValueError, "every must be at least 1, not 0"),
     (("net",), ValueError, "not str")],
)  # fmt: skip
def test_what_cannot_be_watched_is_said(arguments, kind, sentence):
    with pytest.raises(kind, match=sentence):
        watch(*arguments)
