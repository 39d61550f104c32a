"""Three models as torchvision ships them, without downloaded weights: a diagnosis finds nothing.

Why nothing, reasoned by hand and measured in plain PyTorch on eight standardised images of 64 x 64
(blurred noise), batch 8, training mode, cross-entropy:

resnet18. Convolutions are drawn by Kaiming's rule for the fan out, each followed by a batch norm,
so every branch starts at unit scale: spread between examples, last layer over first, 0.89;
gradient, first layer over last, 6.8; first loss 7.1 against ln 1000 = 6.9. The norms of the last
stage see 8 x 2 x 2 = 32 values. (With two images of 32 x 32 they would see 2: `norm_of_one` would
be right.) It trains: 7.1 to 0.001 in 24 steps of SGD at 0.01.

vgg11. No norms. Fan-out variances keep the gradient in the convolutions (0.07 at the first, 0.18 at
the eighth), not the signal: a layer that doubles its channels halves the second moment. That is
mild: spread 0.29 at the first layer, 0.04 at the eighth. The classifier is N(0, 0.01^2) at width
25088 and 4096: gains of 1.1, 0.45 and 0.45. Over all: spread, last over first, 0.35; gradient,
first over last, 0.20; 41 % of the first classifier's units are off for all eight images, as much as
eight alike signals leave; first loss 6.906 = ln 1000 = 6.908. Nothing is near a threshold. That SGD
at 0.01 throws it to 41 before it learns (4.2 after 48 steps) is the learning rate's doing.

A small Swin transformer. Layers are normalised first and drawn with 0.02: branches whisper (0.01
beside a stream of 0.56) and grow in training; spread, last over first, 0.03; gradient, first over
last, 0.04; nothing is exactly 0, no two layers are alike. Three traps: windows are folded into the
batch (no mixing of examples), shifted windows are masked by -100, and whole branches are dropped at
random in training. It trains: 2.31 to 0.51 in 40 steps of Adam at 0.001.

torchvision's VisionTransformer is no such model: its head starts at 0 (fine, it opens), but its
positions of 0.02 beside patches of 1.04 meet the definition of `scale_imbalance`, 50 to 1.
"""

import torch
import torch.nn.functional as F


def torchvision_models():
    """Import torchvision's models, if need be beside a CPU build of torch.

    The wheel of the registry is compiled for CUDA; without it two operators are missing, which no
    model here calls, but whose absence makes the import fail.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    return models


def resnet18(models):
    return models.resnet18()


def vgg11(models):
    return models.vgg11()


def small_swin(models):
    return models.SwinTransformer([4, 4], 32, [2, 2], [2, 4], [4, 4], num_classes=10)


MODELS = (resnet18, vgg11, small_swin)


def classified_images():
    """Eight standardised images of blurred noise, their classes, and the loss."""
    draw = torch.Generator().manual_seed(0)
    x = F.interpolate(torch.randn(8, 3, 16, 16, generator=draw), size=64, mode="bilinear")
    return (x - x.mean()) / x.std(), torch.arange(8), F.cross_entropy
