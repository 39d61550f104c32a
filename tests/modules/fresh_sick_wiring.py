"""Sick networks whose fault is in the wiring: what is connected to what, and to which loss."""

import copy
import math

import torch
import torch.nn.functional as F
from network_cases import (
    Block,
    Lambda,
    Mixture,
    blobs,
    he,
    images,
    sequences,
    sick,
    standardised,
    surface,
    tokens,
    want,
)
from torch import nn
from torch.utils.checkpoint import checkpoint


@sick(
    want("non_finite_input", "", "inputs*", "numbers*"),
    plain="loss not finite, cured 1.18 to 2.7e-06",
)
def log_of_zero(well=False):
    """Incomes go in as logarithms, and some incomes are 0."""

    class Tabular(nn.Module):
        def __init__(self):
            super().__init__()
            self.region = nn.Embedding(6, 4)
            self.body = nn.Sequential(nn.Linear(10, 48), nn.SiLU(), nn.Linear(48, 3))

        def forward(self, numbers, region):
            return self.body(torch.cat([numbers, self.region(region)], 1))

    numbers, y = blobs(64, 6, 3)
    income = torch.randn(64).exp()
    income[::9] = 0
    numbers[:, 2] = income.log1p() if well else income.log()
    region = torch.randint(0, 6, (64,))
    return Tabular(), {"numbers": numbers, "region": region}, y, F.cross_entropy


@sick(
    want("unregistered", "experts*", ""),
    plain="the experts never move; SGD ends at 0.012 by gate and head, cured 2.6e-06",
)
def experts_in_a_list(well=False):
    """A mixture keeps its experts in a plain list: no optimizer ever sees them."""
    experts = [nn.Linear(32, 24) for _ in range(4)]
    return (Mixture(nn.ModuleList(experts) if well else experts), *blobs(), F.cross_entropy)


@sick(want("unregistered", "frequencies", ""))
def loose_frequencies(well=False):
    """Learned Fourier frequencies are a tensor that requires a gradient, but no parameter."""

    class Fourier(nn.Module):
        def __init__(self):
            super().__init__()
            frequencies = 2 * torch.randn(2, 16)
            self.frequencies = (
                nn.Parameter(frequencies) if well else frequencies.requires_grad_(True)
            )
            self.body = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 1))

        def forward(self, x):
            phase = x @ self.frequencies
            return self.body(torch.cat([phase.sin(), phase.cos()], 1))

    x = torch.rand(64, 2) * 2 - 1
    return Fourier(), x, standardised(torch.sin(4 * x[:, :1]) * x[:, 1:]), F.mse_loss


@sick(want("detached", "encoder*"), plain="4 of 4 tensors of the encoder never move, cured 0")
def argmax_codes(well=False):
    """A discrete code is the argmax of the encoder: integers carry no gradient."""

    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(32, 48), nn.Tanh(), nn.Linear(48, 96))
            self.codebook = nn.Embedding(12, 6)
            self.decoder = nn.Sequential(nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 32))

        def forward(self, x):
            scores = self.encoder(x).unflatten(1, (8, 12))
            if well:
                return self.decoder((scores.softmax(2) @ self.codebook.weight).flatten(1))
            return self.decoder(self.codebook(scores.argmax(2)).flatten(1))

    x, _ = blobs()
    return Codes(), x, x.clone(), F.mse_loss


@sick(want("detached", "stem*"), plain="4 of 4 tensors of the stem never move, cured 0")
def reentrant_checkpoint(well=False):
    """The reentrant checkpoint cuts off a first block whose input needs no gradient."""

    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(3, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.SiLU()
            )
            self.body = nn.Sequential(nn.Conv2d(12, 24, 3, stride=2), nn.SiLU())
            self.head = nn.Linear(24, 4)

        def forward(self, x):
            x = checkpoint(self.stem, x, use_reentrant=not well)
            return self.head(self.body(x).mean((2, 3)))

    return (Checkpointed(), *images(32, 3, 8), F.cross_entropy)


@sick(
    want("detached", "log_scale"),
    plain="the temperature never moves: Adam ends at 0.34, cured 0.006",
)
def temperature_item(well=False):
    """Two towers and a learned temperature, of which only the Python number is used."""

    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.image = nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 16))
            self.text = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 16))
            self.log_scale = nn.Parameter(torch.tensor(1.5))

        def forward(self, image, text):
            scale = self.log_scale.exp() if well else self.log_scale.exp().item()
            return F.normalize(self.image(image), dim=1), F.normalize(self.text(text), dim=1), scale

    def contrast(out, y):
        image, text, scale = out
        return F.cross_entropy(scale * image @ text.T, y)

    image = torch.randn(32, 24)
    return Towers(), (image, image @ torch.randn(24, 12) / 5), torch.arange(32), contrast


@sick(want("unused", "class_token"), plain="the token never moves, cured it does")
def forgotten_class_token(well=False):
    """A vision transformer makes a class token, and averages over the patches instead."""

    class Vision(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 32, 4, stride=4)
            self.class_token = nn.Parameter(torch.zeros(1, 1, 32))
            self.position = nn.Parameter(0.2 * torch.randn(1, 17 if well else 16, 32))
            self.blocks = nn.Sequential(Block(32), Block(32), nn.LayerNorm(32))
            self.head = nn.Linear(32, 4)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            if well:
                x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
            x = self.blocks(x + self.position)
            return self.head(x[:, 0] if well else x.mean(1))

    return (Vision(), *images(), F.cross_entropy)


@sick(want("output_activation", "", "score"), plain="SGD ends at 0.503, Adam at 0.503, cured 2e-17")
def double_sigmoid(well=False):
    """A discriminator ends in a sigmoid, and its loss applies another."""

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 12, 4, 2, 1), nn.Conv2d(12, 24, 4, 2, 1)
            self.score = nn.Linear(24 * 16, 1)

        def forward(self, x):
            x = F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(x), 0.2)), 0.2)
            score = self.score(x.flatten(1))
            return score if well else torch.sigmoid(score)

    real, _ = images(32, 1, 16)
    real[16:] = torch.randn(16, 1, 16, 16)
    y = (torch.arange(32) < 16).float()[:, None]
    return Discriminator(), real, y, nn.BCEWithLogitsLoss()


@sick(
    want("output_activation", "", "softmax", "head"),
    plain="learns all the same: 'loss' -0.25 to -1; cured 1.38 to 0.00015",
)
def nll_of_probabilities(well=False):
    """nll_loss wants log-probabilities and is given probabilities."""

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(8, 24, batch_first=True), nn.Linear(24, 4)
            self.softmax = nn.LogSoftmax(1) if well else nn.Softmax(1)

        def forward(self, x):
            return self.softmax(self.head(self.gru(x)[0].mean(1)))

    return (Recurrent(), *sequences(32, 8, 8), F.nll_loss)


@sick(
    want("output_activation", "", "decoder*", "outside"),
    plain="SGD ends at 0.76, Adam at 0.73, cured 0.28",
)
def sigmoid_decoder(well=False):
    """The decoder of a variational autoencoder ends in 0..1; its images are standardised."""

    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(48, 6), nn.Linear(48, 6)
            self.decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))
            self.outside = nn.Identity() if well else nn.Sigmoid()

        def forward(self, x):
            h = self.encoder(x)
            mean, log_variance = self.mean(h), self.log_variance(h)
            z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
            return self.outside(self.decoder(z)).view_as(x), mean, log_variance

    def bound(out, x):
        image, mean, log_variance = out
        gap = (log_variance.exp() + mean**2 - 1 - log_variance).sum(1).mean()
        return F.mse_loss(image, x) + 0.01 * gap

    x, _ = images(64, 1, 8)
    return Vae(), x, x.clone(), bound


@sick(
    want("broadcast_loss", "", "head*", "mean*", "loss*", "targets*", "outputs*"),
    plain="SGD ends at 0.492, Adam at 0.492, cured -3.8",
)
def gaussian_head(well=False):
    """Means (n, 1) minus targets (n,) are an n x n matrix, inside a likelihood by hand."""

    class Gaussian(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.Sequential(
                nn.Conv1d(2, 16, 3), nn.ELU(), nn.Conv1d(16, 16, 3), nn.ELU()
            )
            self.head = nn.Linear(16 * 8, 2)

        def forward(self, x):
            mean, log_variance = self.head(self.convs(x).flatten(1)).split(1, 1)
            return {"mean": mean, "log_variance": log_variance}

    def likelihood(out, y):
        y = y[:, None] if well else y
        return (out["log_variance"] + (y - out["mean"]) ** 2 / out["log_variance"].exp()).mean() / 2

    x = torch.randn(64, 2, 12)
    return Gaussian(), x, standardised(x[:, 0, :4].sum(1) + x[:, 1, 4].sin()), likelihood


@sick(
    want("broadcast_loss", "", "out*", "up*", "loss*", "targets*"),
    plain="SGD ends at 0.62, Adam at 0.61, cured 0.0004",
)
def mask_of_another(well=False):
    """Logits (n, 1, h, w) meet masks (n, h, w): each mask is held against every image."""

    class Segment(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU())
            self.mid = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU())
            self.up, self.out = nn.ConvTranspose2d(12, 12, 2, 2), nn.Conv2d(24, 1, 1)

        def forward(self, image):
            skip = self.down(image)
            deep = F.relu(self.up(self.mid(F.max_pool2d(skip, 2))))
            return self.out(torch.cat([skip, deep], 1))

    def entropy(out, mask):
        out = out[:, 0] if well else out
        return (F.softplus(out) - out * mask).mean()

    x, _ = images(16, 1, 12)
    return Segment(), {"image": x}, (x[:, 0] > 0.3).float(), entropy


@sick(
    want("norm_of_one", "norm"),
    defensible="vanishing zero_gradient",
    plain="SGD ends at 2.3, Adam at 2.3, cured 5e-06",
)
def groups_of_one(well=False):
    """Group normalization with as many groups as features: each value is its own mean."""

    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(32, 24), nn.Linear(24, 10)
            self.norm = nn.GroupNorm(4 if well else 24, 24)

        def forward(self, x):
            return self.head(F.gelu(self.norm(self.inner(x))))

    return (Grouped(), *blobs(), F.cross_entropy)


@sick(want("norm_of_one", "norm"))
def batch_of_two(well=False):
    """Batch norm over two examples: one of them is +1 and the other -1, in every unit."""

    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 24, 3), nn.BatchNorm1d(24)
            self.head = nn.Linear(24, 4)

        def forward(self, x):
            return self.head(F.relu(self.norm(F.relu(self.conv(x)).mean((2, 3)))))

    return (Pooled(), *images(32 if well else 2, 3, 8), F.cross_entropy)


@sick(
    want("mixes_examples", "", "attention*", "norm*"),
    plain="alone with 7 others, an output changes by 6 %, cured 0",
)
def attention_over_batch(well=False):
    """nn.MultiheadAttention takes time first: given the batch, examples attend to others."""

    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 4, batch_first=well)
            self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 4)

        def forward(self, x):  # (batch, time, 16)
            x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
            return self.head(F.gelu(x).mean(1))

    return (Pooled(), *sequences(), F.cross_entropy)


@sick(
    want("mixes_examples", "", "gate*", "experts*", "head*"),
    plain="alone with 7 others, an output changes by 43 %, cured 0",
)
def gate_over_batch(well=False):
    """The gate of a mixture is a softmax over the batch instead of over the experts."""
    experts = nn.ModuleList(nn.Linear(32, 24) for _ in range(4))
    return (Mixture(experts, over=1 if well else 0), *blobs(), F.cross_entropy)


class Adapter(nn.Module):
    """A frozen matrix and a trainable one of rank 4, as in LoRA."""

    def __init__(self, d_in, d_out, open_at_once):
        super().__init__()
        self.base = nn.Linear(d_in, d_out).requires_grad_(False)
        down = torch.randn(4, d_in) / math.sqrt(d_in)
        self.low = nn.ParameterDict({"down": down * open_at_once, "up": torch.zeros(d_out, 4)})

    def forward(self, x):
        return self.base(x) + x @ self.low["down"].T @ self.low["up"].T


@sick(
    want("zero_gradient", "first*", "second*", ""),
    plain="4 of 4 adapter matrices never move: SGD ends at 0.13, cured 1e-07",
)
def adapter_of_zeros(well=False):
    """Both matrices of each adapter start at 0: neither ever moves the other."""

    class Adapted(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Adapter(32, 48, well), Adapter(48, 48, well)
            self.head = nn.Linear(48, 10)

        def forward(self, x):
            return self.head(F.gelu(self.second(F.gelu(self.first(x)))))

    return (Adapted(), *blobs(), F.cross_entropy)


@sick(want("zero_gradient", "log_scale"), plain="the temperature never moves, cured it does")
def clamped_temperature(well=False):
    """A learned temperature starts beyond its clamp, where the derivative is 0 for ever."""

    class Prototypes(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 16))
            self.prototypes = nn.Parameter(torch.randn(10, 16))
            self.log_scale = nn.Parameter(torch.tensor(1.0 if well else 2.0))

        def forward(self, x):
            near = F.normalize(self.body(x), dim=1) @ F.normalize(self.prototypes, dim=1).T
            return near * self.log_scale.clamp(max=1.5).exp()

    return (Prototypes(), *blobs(), F.cross_entropy)


@sick(want("no_nonlinearity", "", "*"), plain="SGD ends at 0.60, Adam at 0.60, cured 5e-05")
def linear_convs(well=False):
    """Convolutions and average pooling without any activation, where the sign must not count."""

    class Convolutional(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 16, 3)
            self.pool, self.head = nn.AvgPool2d(2), nn.Linear(16, 2)
            self.act = nn.ReLU() if well else Lambda(lambda x: x)

        def forward(self, x):
            x = self.pool(self.act(self.conv1(x)))
            return self.head(self.act(self.conv2(x)).flatten(1))

    y = torch.arange(160) % 2
    sign = torch.randn(160, 1, 1, 1).sign()
    x = images(2, 1, 6, 2)[0][y] * sign + 0.3 * torch.randn(160, 1, 6, 6)
    return he(Convolutional()), x, y, F.cross_entropy


@sick(want("identical_layers", "experts*", ""), defensible="vanishing")
def copied_experts(well=False):
    """Four experts are deep copies of one."""
    expert = nn.Linear(32, 24)
    experts = [nn.Linear(32, 24) if well else copy.deepcopy(expert) for _ in range(4)]
    return (Mixture(nn.ModuleList(experts)), *blobs(), F.cross_entropy)


@sick(
    want("scale_imbalance", "", "position*", "token*"),
    plain="SGD ends at 1.5, Adam at 0.11, cured 9e-05",
)
def drowned_positions(well=False):
    """Tokens of unit scale times sqrt(d) beside positions of 0.02: the order cannot be seen."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(30, 64), nn.Embedding(10, 64)
            nn.init.normal_(self.position.weight, 0, 1.0 if well else 0.02)
            self.blocks, self.norm = nn.Sequential(Block(64), Block(64)), nn.LayerNorm(64)
            self.head = nn.Linear(64, 30)

        def forward(self, t):
            x = self.token(t) * (1.0 if well else 8.0) + self.position(torch.arange(t.shape[1]))
            return self.head(self.norm(self.blocks(x)).mean(1))

    t, _ = tokens(64, 10, 30)
    t = torch.gather(t, 1, torch.rand(64, 10).argsort(1))
    return Reader(), t, t[:, 0].clone(), F.cross_entropy


@sick(
    want("target_scale", "", "targets*", "body.2", "body"),
    plain="SGD ends at 9e-07 where the targets vary by 4e-10, cured 9e-08 of 1",
)
def micrometres_in_metres(well=False):
    """Displacements of 20 micrometres as metres: the loss starts at what it should end at."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(8, 48), nn.Tanh(), nn.Linear(48, 1))

        def forward(self, x):
            return self.body(x)

    x, y = surface()
    return Two(), x, y if well else 2e-5 * y, F.mse_loss
