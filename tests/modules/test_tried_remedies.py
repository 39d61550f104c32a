"""Remedies that are tried: what they led to, in words, and that nothing is changed by it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stability import diagnose
from stability.modules.finding import ModuleFinding
from stability.modules.tried_remedies import TrainingSetup, try_each_remedy


def network():
    torch.manual_seed(0)
    x, y = torch.randn(32, 16), torch.arange(32) % 4
    layers = [part for _ in range(12) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(16, 4)), x + 2 * torch.randn(4, 16)[y], y


def test_a_repaired_network_learns_where_the_sick_one_does_not_and_both_stay_as_they_are():
    module, x, y = network()
    before = [p.detach().clone() for p in module.parameters()]
    random_state = torch.get_rng_state()
    diagnosis = diagnose(module, x, y, F.cross_entropy)
    (tried,) = diagnosis.try_remedies(steps=40)
    assert tried.remedy == diagnosis.findings[0].remedy == "stability.repair(model, inputs)"
    assert tried.findings == diagnosis.findings
    assert tried.helps
    assert tried.last < 0.5 < 1.2 < tried.without
    assert tried.sentence == (
        f"tried: the loss falls from {tried.first:.3g} to {tried.last:.3g}; "
        f"without: {tried.without:.3g}"
    )
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert all(p.grad is None for p in module.parameters())
    assert torch.equal(random_state, torch.get_rng_state())


def test_remedies_may_change_each_part_of_the_setup_and_are_tried_together_at_last():
    module, x, y = network()
    setup = TrainingSetup(module[-1:], 1000 * x, y, lambda outputs, y: outputs.square().sum() + 1e9)
    lines = {
        "input_scale": "inputs = inputs / 1000",
        "first_loss": "loss = torch.nn.functional.cross_entropy",
        "no_nonlinearity": "model.register_forward_hook(lambda m, x, y: torch.tanh(y))",
        "non_finite_forward": "outputs = torch.log_softmax(logits, dim=-1)",
        "detached": "",
    }
    findings = [ModuleFinding(kind, "", "Said.", line) for kind, line in lines.items()]
    tried = try_each_remedy(setup, findings, steps=5)
    assert [x.remedy for x in tried[:-1]] == [line for line in lines.values() if line]
    assert [x.error for x in tried[:3]] == [""] * 3
    assert tried[1].last < 1e9
    assert tried[1].sentence.endswith("e9, in other units")
    assert not tried[0].in_other_units
    assert tried[3].sentence == "not tried: it belongs into the program, where logits is known"
    assert not tried[3].helps
    assert len(tried[-1].findings) == 4
    assert not module._forward_hooks
    assert str(tried).splitlines()[1] == f"   {tried[0].sentence}"
    assert "<li><code>inputs = inputs / 1000</code>" in tried._repr_html_()


def test_without_a_loss_or_a_finding_nothing_is_tried():
    module, x, y = network()
    with pytest.raises(ValueError, match="needs targets and a loss"):
        diagnose(module, x).try_remedies()
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        diagnose(module, x, y, F.cross_entropy).try_remedies(0)
    healthy = diagnose(module[-1:], x, y, F.cross_entropy).try_remedies()
    assert str(healthy) == "There is no remedy to be tried."
