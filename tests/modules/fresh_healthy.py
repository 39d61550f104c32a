"""Healthy look-alikes: each comes near a kind of finding, and none may be said of it."""

import math

import torch
import torch.nn.functional as F
from fresh_sick_wiring import Adapter
from network_cases import (
    Block,
    Lambda,
    blobs,
    graphs,
    he,
    healthy,
    images,
    per_token,
    sequences,
    standardised,
    surface,
    tokens,
)
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint


@healthy()
def fresh_adapter():
    """LoRA as published: one matrix of each pair is 0 and opens at the first step."""
    net = nn.Sequential(Adapter(32, 48, True), nn.GELU(), Adapter(48, 48, True), nn.GELU())
    net.append(nn.Linear(48, 10))
    return (net, *blobs(), F.cross_entropy)


@healthy()
def zero_gates():
    """ReZero: each branch is multiplied by a scalar that starts at 0."""

    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48))
            self.gate = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return x + self.gate * self.branch(x)

    net = nn.Sequential(nn.Linear(32, 48), *[Gate() for _ in range(8)], nn.ReLU())
    return (net.append(nn.Linear(48, 10)), *blobs(), F.cross_entropy)


@healthy()
def zero_gains():
    """A residual network whose branches end in a batch norm of gain 0."""

    class Basic(nn.Module):
        def __init__(self, a, b, stride):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
            self.conv2, self.norm2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
            self.short = nn.Conv2d(a, b, 1, stride) if stride > 1 else nn.Identity()
            nn.init.zeros_(self.norm2.weight)

        def forward(self, x):
            branch = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True)))
            return F.relu(self.short(x) + branch)

    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), Basic(12, 12, 1), Basic(12, 24, 2))
    net.extend([Basic(24, 24, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 4)])
    return (net, *images(32, 3, 8), F.cross_entropy)


@healthy()
def frozen_backbone():
    """A frozen backbone in evaluation mode, run without gradients, and a trainable head."""

    class Transfer(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Sequential(
                nn.Conv2d(3, 24, 3), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 32, 3), nn.ReLU()
            )
            self.backbone.requires_grad_(False).eval()
            self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

        def forward(self, x):
            with torch.no_grad():
                features = self.backbone(x).mean((2, 3))
            return self.head(features)

    return (Transfer(), *images(32, 3, 10), F.cross_entropy)


@healthy()
def deep_sigmoid_with_norms():
    """Ten sigmoid layers that train: a batch norm stands in front of each."""
    layers, width = [], 32
    for _ in range(10):
        layers += [nn.Linear(width, 48), nn.BatchNorm1d(48), nn.Sigmoid()]
        width = 48
    return (nn.Sequential(*layers, nn.Linear(48, 10)), *blobs(), F.cross_entropy)


@healthy()
def packed_tagger():
    """Packed sequences through a bidirectional LSTM; nll_loss on log_softmax."""

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(40, 16, padding_idx=0)
            self.lstm = nn.LSTM(16, 16, bidirectional=True, batch_first=True)
            self.head = nn.Linear(32, 4)

        def forward(self, t, lengths):
            packed = pack_padded_sequence(
                self.token(t), lengths, batch_first=True, enforce_sorted=False
            )
            h, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            return F.log_softmax(self.head(h), 2)

    lengths = torch.randint(4, 11, (24,))
    lengths[0] = 10
    t = torch.randint(1, 40, (24, 10)) * (torch.arange(10) < lengths[:, None])
    y = torch.where(t == 0, -100, t % 4)
    return Packed(), (t, lengths), y, lambda out, y: F.nll_loss(out.flatten(0, 1), y.flatten())


@healthy()
def labels_by_sigmoid():
    """Five labels that do not exclude each other: sigmoid outputs and binary_cross_entropy."""
    x, _ = blobs()
    net = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 5), nn.Sigmoid())
    return net, x, (x @ torch.randn(32, 5) > 0).float(), nn.BCELoss()


@healthy()
def pixels_by_sigmoid():
    """An autoencoder of images in 0..1: sigmoid outputs and a squared error."""
    x = torch.sigmoid(images(32, 1, 8)[0])
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    decoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())
    return nn.Sequential(encoder, decoder, nn.Unflatten(1, (1, 8, 8))), x, x.clone(), F.mse_loss


@healthy()
def counts_by_relu():
    """Counts are never below 0: a rectified output whose bias starts at their mean."""
    x = torch.randn(96, 6)
    y = torch.poisson((1.2 + 0.4 * x[:, :1] + 0.4 * x[:, 1:2].sin()).exp())
    net = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1), nn.ReLU())
    nn.init.constant_(net[2].bias, 3.5)
    return net, x, y, F.mse_loss


@healthy()
def tied_language_model():
    """A causal transformer, checkpointed, tied to its embedding, with ignored targets."""

    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(60, 48), nn.Embedding(12, 48)
            for part in (self.token, self.position):
                nn.init.normal_(part.weight, 0, 0.1)
            self.blocks = nn.ModuleList(Block(48, 4, causal=True) for _ in range(3))
            self.norm, self.head = nn.LayerNorm(48), nn.Linear(48, 60, bias=False)
            self.head.weight = self.token.weight

        def forward(self, t):
            x = self.token(t) + self.position(torch.arange(t.shape[1]))
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False)
            return self.head(self.norm(x))

    t, y = tokens(16, 12, 60)
    return Language(), t, y.masked_fill(torch.rand(16, 12) < 0.3, -100), per_token


@healthy()
def squeeze_and_excite():
    """Squeeze and excitation: a waist of 4 rectified units and sigmoid gates, beside a path."""

    class Excite(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b)
            self.squeeze, self.excite = nn.Linear(b, 4), nn.Linear(4, b)
            nn.init.constant_(self.squeeze.bias, 0.5)

        def forward(self, x):
            x = F.hardswish(self.norm(self.conv(x)))
            gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
            return x * gate[..., None, None]

    net = nn.Sequential(Excite(3, 16), nn.MaxPool2d(2), Excite(16, 24), nn.AdaptiveMaxPool2d(1))
    return (net.extend([nn.Flatten(), nn.Linear(24, 4)]), *images(32, 3, 10), F.cross_entropy)


@healthy()
def hinge_critic():
    """A discriminator with spectral norm, dropout and a hinge loss on raw scores."""
    conv = parametrizations.spectral_norm
    net = nn.Sequential(
        conv(nn.Conv2d(1, 16, 4, 2, 1)), nn.LeakyReLU(0.2), nn.Dropout2d(0.3),
        conv(nn.Conv2d(16, 24, 4, 2, 1)), nn.LeakyReLU(0.2), nn.Flatten(),
        conv(nn.Linear(24 * 16, 1)),
    )  # fmt: skip
    x, _ = images(32, 1, 16)
    x[20:] = torch.randn(12, 1, 16, 16)
    sign = torch.where(torch.arange(32) < 20, 1.0, -1.0)[:, None]
    return net, x, sign, lambda out, sign: F.relu(1 - sign * out).mean()


@healthy()
def sine_field():
    """SIREN: sines of 30 times a linear layer, initialised for it; coordinates to colours."""

    class Sine(nn.Module):
        def __init__(self, a, b, bound):
            super().__init__()
            self.linear = nn.Linear(a, b)
            nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, x):
            return torch.sin(30 * self.linear(x))

    bound = math.sqrt(6 / 48) / 30
    net = nn.Sequential(Sine(2, 48, 0.5), Sine(48, 48, bound), Sine(48, 48, bound))
    x = torch.rand(96, 2) * 2 - 1
    return net.append(nn.Linear(48, 1)), x, torch.sin(5 * x[:, :1]) * x[:, 1:], F.mse_loss


@healthy()
def derivative_inside():
    """A physics network: it returns u and du/dx, which it asks autograd for in its forward."""

    class Physics(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
            self.out = nn.Linear(32, 1)

        def forward(self, x):
            u = self.out(self.body(x))
            return u, torch.autograd.grad(u.sum(), x, create_graph=True)[0]

    def equation(out, source):
        u, slope = out
        return F.mse_loss(slope + u, source)

    x = (torch.rand(64, 1) * 2 - 1).requires_grad_(True)
    return Physics(), x, torch.sin(3 * x.detach()), equation


@healthy()
def pixels_in_0_to_1():
    """Images in 0..1, not centred, into convolutions with ReLU and max pooling."""
    x, y = images()
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 48), nn.ReLU(), nn.Linear(48, 4),
    )  # fmt: skip
    return he(net), (0.5 + 0.25 * x).clamp(0, 1), y, F.cross_entropy


@healthy()
def highway():
    """A highway network of 10 layers whose gates start nearly closed, at a bias of -2."""

    class Highway(nn.Module):
        def __init__(self):
            super().__init__()
            self.transform, self.gate = nn.Linear(48, 48), nn.Linear(48, 48)
            nn.init.constant_(self.gate.bias, -2)

        def forward(self, x):
            gate = torch.sigmoid(self.gate(x))
            return gate * F.relu(self.transform(x)) + (1 - gate) * x

    net = nn.Sequential(nn.Linear(32, 48), *[Highway() for _ in range(10)], nn.Linear(48, 10))
    return (net, *blobs(), F.cross_entropy)


@healthy()
def wide_targets():
    """Targets of mean 0 and standard deviation 5, and no last function."""
    x, y = surface(96)
    net = nn.Sequential(nn.Linear(8, 48), nn.ELU(), nn.Linear(48, 48), nn.ELU(), nn.Linear(48, 1))
    return net, x, 5 * y, F.mse_loss


@healthy()
def contrast_of_views():
    """The loss compares all examples with each other; the network sees them one by one."""

    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 16))

        def forward(self, a, b):
            return F.normalize(self.encoder(a), dim=1), F.normalize(self.encoder(b), dim=1)

    x, _ = blobs()
    views = x + 0.3 * torch.randn_like(x), x + 0.3 * torch.randn_like(x)
    return (
        Views(),
        views,
        torch.arange(64),
        lambda out, y: F.cross_entropy(5 * out[0] @ out[1].T, y),
    )


@healthy()
def windows_in_the_batch():
    """Attention inside windows, which are folded into the batch and back."""

    class Windows(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.block = nn.Conv2d(3, 24, 2, stride=2), Block(24)
            self.head = nn.Linear(24, 4)

        def forward(self, x):
            x = self.patches(x)  # (n, 24, 8, 8)
            x = x.unfold(2, 4, 4).unfold(3, 4, 4)  # (n, 24, 2, 2, 4, 4)
            windows = self.block(x.permute(0, 2, 3, 4, 5, 1).reshape(-1, 16, 24))
            return self.head(windows.reshape(len(x), -1, 24).mean(1))

    return (Windows(), *images(16), F.cross_entropy)


@healthy()
def two_of_four_experts():
    """A mixture that sends each example to the two experts with the largest gates."""

    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.head = nn.Linear(32, 4), nn.Linear(32, 10)
            self.experts = nn.ParameterDict(
                {"inner": torch.randn(4, 32, 48) / 4, "outer": torch.randn(4, 48, 32) / 5}
            )

        def forward(self, x):
            best = self.gate(x).topk(2, 1)
            inner, outer = (self.experts[name][best.indices] for name in ("inner", "outer"))
            h = F.relu(torch.einsum("nd,nkdw->nkw", x, inner))
            parts = torch.einsum("nkw,nkwd->nkd", h, outer)
            return self.head(x + (best.values.softmax(1)[..., None] * parts).sum(1))

    return (Sparse(), *blobs(), F.cross_entropy)


@healthy()
def loud_first_loss():
    """A head that starts too loud: 3 nats above guessing, which a few steps take off."""
    net = he(nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()))
    net.append(nn.Linear(64, 10))
    nn.init.normal_(net[4].weight, 0, 0.35)
    return (net, *blobs(), F.cross_entropy)


@healthy()
def denoiser():
    """A small diffusion model: integer times through sines, a last convolution of zeros."""

    class Denoiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.time = nn.Sequential(nn.Linear(32, 16), nn.SiLU(), nn.Linear(16, 16))
            self.enter, self.norm = nn.Conv2d(1, 16, 3, padding=1), nn.GroupNorm(4, 16)
            self.down, self.up = nn.Conv2d(16, 16, 4, 2, 1), nn.ConvTranspose2d(16, 16, 4, 2, 1)
            self.leave = nn.Conv2d(32, 1, 3, padding=1)
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(self.leave.bias)

        def forward(self, x, t):
            phase = t[:, None] * torch.exp(-torch.arange(16) * math.log(1000) / 16)
            x = self.enter(x)
            h = x + self.time(torch.cat([phase.sin(), phase.cos()], 1))[..., None, None]
            h = self.up(F.silu(self.down(F.silu(self.norm(h)))))
            return self.leave(torch.cat([x, F.silu(h)], 1))

    clean, noise, t = images(16, 1, 8)[0], torch.randn(16, 1, 8, 8), torch.randint(0, 1000, (16,))
    share = (t / 1000)[:, None, None, None]
    return Denoiser(), ((1 - share).sqrt() * clean + share.sqrt() * noise, t), noise, F.mse_loss


@healthy()
def masked_reader():
    """Padded sequences in nn.MultiheadAttention, with masks of -inf, passed by name."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(400, 32, padding_idx=0), nn.Embedding(12, 32)
            self.attention = nn.MultiheadAttention(32, 4, dropout=0.1, batch_first=True)
            self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 3)

        def forward(self, ids, mask):
            x = self.token(ids) + self.position(torch.arange(ids.shape[1]))
            ahead = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
            bias = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
            x = self.norm(x + self.attention(x, x, x, bias, attn_mask=ahead)[0])
            return self.head(F.gelu((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)))

    mask = torch.arange(12) < torch.randint(3, 13, (24, 1))
    ids = torch.randint(1, 60, (24, 12)) * mask
    return Reader(), {"ids": ids, "mask": mask}, ids[:, 0] % 3, F.cross_entropy


@healthy()
def segments_of_one_kind():
    """As in BERT, an embedding of segments is added; all segments of the batch are the first."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.segment, self.token = nn.Embedding(2, 32), nn.Embedding(60, 32)
            self.norm, self.block, self.head = nn.LayerNorm(32), Block(32), nn.Linear(32, 3)
            for part in (self.segment, self.token):
                nn.init.normal_(part.weight, 0, 0.02)

        def forward(self, ids):
            x = self.norm(self.segment(torch.zeros_like(ids)) + self.token(ids))
            return self.head(self.block(x)[:, 0])

    ids = torch.randint(0, 60, (24, 10))
    return Reader(), ids, ids[:, 0] % 3, F.cross_entropy


class SignThrough(torch.autograd.Function):
    """The sign, with the derivative of a clipped identity."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0].abs() <= 1)


@healthy()
def binary_units():
    """Units of -1 and 1, through which a custom autograd function lets the gradient pass."""
    sign = Lambda(SignThrough.apply)
    net = nn.Sequential(nn.Linear(32, 64), sign, nn.Linear(64, 64), sign, nn.Linear(64, 10))
    return (net, *blobs(), F.cross_entropy)


@healthy()
def factorization():
    """Users times films, with a bias for each that starts at 0; no activation anywhere."""

    class Factors(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.film = nn.Embedding(30, 8), nn.Embedding(40, 8)
            self.of_user, self.of_film = nn.Embedding(30, 1), nn.Embedding(40, 1)
            for part in (self.user, self.film):
                nn.init.normal_(part.weight, 0, 0.5)
            for part in (self.of_user, self.of_film):
                nn.init.zeros_(part.weight)

        def forward(self, user, film):
            product = (self.user(user) * self.film(film)).sum(1, keepdim=True)
            return product + self.of_user(user) + self.of_film(film)

    user, film = torch.randint(0, 30, (256,)), torch.randint(0, 40, (256,))
    taste = (torch.randn(30, 3)[user] * torch.randn(40, 3)[film]).sum(1, keepdim=True)
    return Factors(), (user, film), standardised(taste), F.mse_loss


@healthy()
def bilinear_pair():
    """nn.Bilinear joins two inputs and is the only nonlinear thing between linear layers."""

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(12, 16), nn.Linear(10, 16)
            self.join, self.head = nn.Bilinear(16, 16, 24), nn.Linear(24, 1)

        def forward(self, a, b):
            return self.head(self.join(self.left(a), self.right(b)))

    a, b = torch.randn(96, 12), torch.randn(96, 10)
    return Pair(), (a, b), standardised(a[:, :1] * b[:, :1] + a[:, 1:2] * b[:, 1:2]), F.mse_loss


@healthy()
def memory_in_float64():
    """An LSTMCell in a loop over 12 steps, in float64, with a forget bias of 1."""

    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = nn.LSTMCell(6, 20), nn.Linear(20, 4)
            nn.init.constant_(self.cell.bias_ih[20:40], 1.0)

        def forward(self, x):
            h = c = x.new_zeros(len(x), 20)
            for now in x.unbind(1):
                h, c = self.cell(now, (h, c))
            return self.head(h)

    x, y = sequences(32, 12, 6)
    return Loop().double(), x.double(), y, F.cross_entropy


@healthy()
def bag_of_words():
    """A bag of embeddings with sparse gradients, most of whose rows are not in the batch."""
    bag = nn.EmbeddingBag(2000, 24, mode="mean", sparse=True)
    net = nn.Sequential(bag, nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 3))
    t = torch.randint(0, 60, (48, 8))
    return net, t, t[:, 0] % 3, F.cross_entropy


@healthy()
def products_of_layers():
    """Two linear layers multiplied with each other: nonlinear without any activation."""

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.head = nn.Linear(8, 48), nn.Linear(8, 48), nn.Linear(48, 1)

        def forward(self, x):
            return self.head(self.a(x) * self.b(x))

    x = torch.randn(96, 8)
    return Product(), x, standardised(x[:, :1] * x[:, 1:2] + x[:, 2:3]), F.mse_loss


@healthy()
def sampled_code():
    """A variational autoencoder that draws noise in its forward; pixels as probabilities."""

    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv2d(1, 12, 4, 2, 1), nn.ReLU(), nn.Flatten())
            self.code, self.decoder = nn.Linear(192, 12), nn.Linear(6, 192)
            self.image = nn.ConvTranspose2d(12, 1, 4, 2, 1)

        def forward(self, x):
            code = torch.distributions.Normal(*self.split(self.code(self.encoder(x))))
            h = F.relu(self.decoder(code.rsample())).unflatten(1, (12, 4, 4))
            return {"image": torch.sigmoid(self.image(h)), "mean": code.loc, "std": code.scale}

        def split(self, code):
            mean, spread = code.chunk(2, 1)
            return mean, F.softplus(spread) + 1e-3

    def bound(out, x):
        gap = (out["std"] ** 2 + out["mean"] ** 2 - 1) / 2 - out["std"].log()
        return F.binary_cross_entropy(out["image"], x) + 0.001 * gap.sum(1).mean()

    x = torch.sigmoid(2 * images(32, 1, 8)[0])
    return Vae(), x, x.clone(), bound


@healthy()
def margins():
    """A margin loss on raw scores, from depthwise convolutions with ReLU6."""
    net = nn.Sequential(
        nn.Conv2d(3, 24, 1), nn.BatchNorm2d(24), nn.ReLU6(),
        nn.Conv2d(24, 24, 3, 2, 1, groups=24), nn.BatchNorm2d(24), nn.ReLU6(),
        nn.Conv2d(24, 32, 1), nn.BatchNorm2d(32), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(32, 4),
    )  # fmt: skip
    return (net, *images(30, 3, 8), nn.MultiMarginLoss())


@healthy()
def brain_float():
    """A transformer block in bfloat16, read from several inputs, with two outputs."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.block, self.label, self.value = Block(32), nn.Linear(32, 4), nn.Linear(32, 1)

        def forward(self, x):
            h = self.block(x).mean(1)
            return self.label(h), self.value(h)

    def both(out, y):
        label, value = (part.float() for part in out)
        return F.cross_entropy(label, y[0]) + F.huber_loss(value, y[1])

    x, y = sequences(16, 10, 32)
    return Two().bfloat16(), x.bfloat16(), (y, standardised(x.mean((1, 2)))[:, None]), both


@healthy()
def averaged_neighbours():
    """Graph attention: scores of absent edges are -inf, and each row sums to 1."""

    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.ModuleList([nn.Linear(6, 24), nn.Linear(24, 24)])
            self.send = nn.ParameterList(torch.randn(24) / 5 for _ in range(2))
            self.take = nn.ParameterList(torch.randn(24) / 5 for _ in range(2))
            self.head = nn.Linear(24, 3)

        def forward(self, x, edges):
            for value, send, take in zip(self.value, self.send, self.take, strict=True):
                h = value(x)
                scores = F.leaky_relu((h @ send)[:, None] + (h @ take)[..., None], 0.2)
                x = F.elu(scores.masked_fill(edges == 0, -math.inf).softmax(2) @ h)
            return self.head(x.amax(1))

    x, edges = graphs()
    return Graph(), (x, edges), x[..., :3].mean(1).argmax(1), F.cross_entropy


@healthy()
def least_number_as_mask():
    """Forbidden scores become the least number of their format, by design, instead of -inf."""

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.query_key_value, self.out = nn.Linear(24, 72), nn.Linear(24, 24)

        def forward(self, x):
            q, k, v = self.query_key_value(x).chunk(3, 2)
            scores = q @ k.transpose(1, 2) / math.sqrt(24)
            ahead = torch.ones(scores.shape[1:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(ahead, torch.finfo(scores.dtype).min)
            return x + self.out(scores.softmax(2) @ v)

    x, y = sequences(32, 10, 24)
    last = Lambda(lambda x: x[:, -1])
    return nn.Sequential(Masked(), nn.GELU(), last, nn.Linear(24, 4)), x, y, F.cross_entropy


@healthy()
def strong_dropout():
    """Dropout of 0.7, under which most values of a layer are 0, and alpha dropout."""
    net = nn.Sequential(nn.Linear(32, 96), nn.SELU(), nn.AlphaDropout(0.2), nn.Linear(96, 96))
    net.extend([nn.SELU(), nn.Dropout(0.7), nn.Linear(96, 10)])
    return (net, *blobs(), F.cross_entropy)
