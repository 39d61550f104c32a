"""Models that a library ships, at their default start: nothing is wrong with them."""

import pytest
from real_models import MODELS, classified_images, torchvision_models

from stability import diagnose

pytestmark = pytest.mark.case


@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_a_model_of_torchvision_is_healthy_at_its_default_start(build):
    models = torchvision_models()
    model = build(models)
    diagnosis = diagnose(model, *classified_images())
    assert diagnosis.healthy, diagnosis
    assert len(diagnosis.frame) > 20


def test_a_model_of_torchvision_with_a_weight_out_of_scale_is_not():
    model = torchvision_models().resnet18()
    model.layer3[0].conv1.weight.data.mul_(0)
    said = diagnose(model, *classified_images()).findings
    assert [(one.kind, one.where) for one in said][:1] == [("zero_gradient", "layer3.0.conv1")]
