"""Sick networks with their cures, and healthy look-alikes, that a diagnosis has to tell apart."""

import math

import torch
import torch.nn.functional as F
from network_cases import blobs, healthy, per_token, sequences, sick, tokens, want
from torch import nn

ce, mse, bce_logits = F.cross_entropy, F.mse_loss, F.binary_cross_entropy_with_logits


def surface(n=64, d=8):
    """A smooth regression: inputs and targets of mean 0 and variance 1, targets (n, 1)."""
    x = torch.randn(n, d)
    y = (torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]) if d > 2 else torch.sin(3 * x[:, :1])
    return x, (y - y.mean()) / y.std()


def images(n=32, channels=3, size=16, classes=4):
    """Blurred noise with a class-wise pattern; mean 0, variance 1."""
    y = torch.arange(n) % classes
    x = torch.randn(classes, channels, size, size)[y] + 0.7 * torch.randn(n, channels, size, size)
    x = F.avg_pool2d(x, 3, 1, 1)
    return (x - x.mean()) / x.std(), y


def he(module, gain=1.0):
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            with torch.no_grad():
                part.weight.mul_(gain)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


def xavier(module, gain=1.0):
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_normal_(part.weight, gain)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


class Chain(nn.Module):
    """depth weight layers block1, block2, ... with a functional activation between them."""

    def __init__(self, depth, width, phi, d=32, classes=10):
        super().__init__()
        self.phi, self.depth = phi, depth
        sizes = [d] + [width] * (depth - 1) + [classes]
        for i in range(depth):
            setattr(self, f"block{i + 1}", nn.Linear(sizes[i], sizes[i + 1]))

    def forward(self, x):
        for i in range(1, self.depth):
            x = self.phi(getattr(self, f"block{i}")(x))
        return getattr(self, f"block{self.depth}")(x)


class Attention(nn.Module):
    """One head or several, written out; separate q, k, v and out."""

    def __init__(self, d, heads=1, scale=None, causal=False):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.heads, self.causal, self.scale = (
            heads,
            causal,
            (d // heads) ** -0.5 if scale is None else scale,
        )

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (
            f(x).view(b, t, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v)
        )
        scores = q @ k.transpose(-2, -1) * self.scale
        if self.causal:
            scores = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    """A transformer block, norm first."""

    def __init__(self, d, heads=2, causal=False, scale=None, dropout=0.0):
        super().__init__()
        self.norm1, self.attn, self.norm2 = (
            nn.LayerNorm(d),
            Attention(d, heads, scale, causal),
            nn.LayerNorm(d),
        )
        self.mlp = nn.Sequential(
            nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d), nn.Dropout(dropout)
        )

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Pooled(nn.Module):
    """body over (n, t, d), mean over t, head."""

    def __init__(self, body, d, classes):
        super().__init__()
        self.body, self.head = body, nn.Linear(d, classes)

    def forward(self, x):
        return self.head(self.body(x).mean(1))


@sick(want("vanishing", "block[1-9]", "block1[0-9]"))
def sigmoid_20(well=False):
    """Sigmoid cuts the gradient at every layer. Source: d2l 4.8."""
    x, y = blobs()
    return (
        (he(Chain(20, 32, torch.relu)) if well else xavier(Chain(20, 32, torch.sigmoid))),
        x,
        y,
        ce,
    )


@sick(want("exploding", "block5"))
def block5_1e4(well=False):
    """One weight x 1e4. Source: planted."""
    x, y = blobs()
    net = he(Chain(10, 64, torch.relu))
    if not well:
        with torch.no_grad():
            net.block5.weight.mul_(1e4)
    return net, x, y, ce


@sick(want("vanishing", "layers.[0-6]"))
def small_normal(well=False):
    """N(0, 0.01^2) at width 64: 0.06 a layer, forward and back."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                nn.Linear(32 if i == 0 else 64, 10 if i == 7 else 64) for i in range(8)
            )

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = F.relu(layer(x))
            return self.layers[-1](x)

    net = he(Net())
    if not well:
        for layer in net.layers:
            nn.init.normal_(layer.weight, 0, 0.01)
    return (net, *blobs(), ce)


@sick(want("vanishing", "encoder.*", "decoder.*"))
def sigmoid_autoencoder(well=False):
    """A convolutional autoencoder with twelve sigmoids. Source: AUTOTRAINER category: gradient
    vanish, CNN."""
    phi = nn.ReLU if well else nn.Sigmoid
    x, _ = images(32, 1, 16)

    class Auto(nn.Module):
        def __init__(self):
            super().__init__()

            def part(a, b):
                return [nn.Conv2d(a, b, 3, padding=1), phi()]

            self.encoder = nn.Sequential(
                *part(1, 8), *[m for _ in range(5) for m in part(8, 8)], nn.AvgPool2d(2)
            )
            self.decoder = nn.Sequential(
                nn.Upsample(scale_factor=2),
                *[m for _ in range(6) for m in part(8, 8)],
                nn.Conv2d(8, 1, 3, padding=1),
            )

        def forward(self, x):
            return self.decoder(self.encoder(x))

    net = Auto()
    return (he(net) if well else net), x, x.clone(), mse


@sick(want("exploding", "rnn"))
def rnn_explodes(well=False):
    """Recurrent weights of gain 2 in a rectified RNN, 40 steps. Source: indrnn#9; AUTOTRAINER
    category: explode, RNN."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = (
                nn.RNN(8, 32, nonlinearity="relu", batch_first=True),
                nn.Linear(32, 4),
            )
            with torch.no_grad():
                self.rnn.weight_hh_l0.copy_(
                    (1.0 if well else 2.0)
                    * (
                        torch.eye(32)
                        if well
                        else nn.init.orthogonal_(torch.empty(32, 32)).abs() * 0.35
                    )
                )

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    return (Net(), *sequences(32, 40, 8), ce)


@sick(want("symmetric", "block[1-4]"))
def constant_tanh(well=False):
    """Every weight 0.1: all units of a layer are one. Source: d2l 4.8; NeuraLint f004."""
    net = Chain(5, 16, torch.tanh)
    if not well:
        for p in net.parameters():
            nn.init.constant_(p, 0.1)
    else:
        xavier(net)
    return (net, *blobs(), ce)


@sick(want("symmetric zero_gradient", "0", "2", "4"))
def zeros_relu(well=False):
    """All zeros: only the last bias ever moves. Source: d2l 4.8; vynguyen.net."""
    net = nn.Sequential(
        nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 10)
    )
    if not well:
        for p in net.parameters():
            nn.init.zeros_(p)
    else:
        he(net)
    return (net, *blobs(), ce)


@sick(want("dead", "fc2", "act2"))
def dead_bias(well=False):
    """A bias of -100 in front of a ReLU. Source: planted."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3, self.head = (
                nn.Linear(32, 48),
                nn.Linear(48, 48),
                nn.Linear(48, 48),
                nn.Linear(48, 10),
            )

        def forward(self, x):
            return self.head(self.fc3(self.fc2(self.fc1(x).relu()).relu()).relu())

    net = he(Net())
    if not well:
        nn.init.constant_(net.fc2.bias, -100)
    return (net, *blobs(), ce)


@sick(want("dead", "sigma", "nerf.sigma"))
def nerf_density(well=False):
    """A density behind a ReLU is 0 at every point: blank renders, no gradient anywhere. Source:
    nerf_pl#51."""

    class Nerf(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk1 = nn.Sequential(nn.Linear(3, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
            self.trunk2 = nn.Sequential(nn.Linear(51, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
            self.sigma, self.colour = nn.Linear(48, 1), nn.Linear(48, 3)

        def forward(self, points):  # (rays, samples, 3)
            h = self.trunk2(torch.cat([points, self.trunk1(points)], -1))
            raw = self.sigma(h)[..., 0]
            density = F.softplus(raw) if well else F.relu(raw)
            alpha = 1 - torch.exp(-density * 0.3)
            through = torch.cumprod(
                torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-6], 1), 1
            )[:, :-1]
            return ((alpha * through)[..., None] * torch.sigmoid(self.colour(h))).sum(1)

    net = he(Nerf())
    with torch.no_grad():
        net.sigma.weight.mul_(0.1)
        net.sigma.bias.fill_(-1.0)
    points = torch.rand(32, 12, 3) * 2 - 1
    return net, points, 0.5 + 0.4 * torch.sin(3 * points.mean(1)), mse


@sick(want("bottleneck dead", "embed", "embed_act"))
def waist_of_two(well=False):
    """Two rectified units: a quarter to all of the examples leave as (0, 0). Source: siamese-
    triplet#17."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)
            self.fc, self.embed, self.head = (
                nn.Linear(12 * 16, 64),
                nn.Linear(64, 2),
                nn.Linear(2, 8),
            )
            self.embed_act = nn.Identity() if well else nn.ReLU()

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.head(self.embed_act(self.embed(F.relu(self.fc(x.flatten(1))))))

    net = he(Net())
    with torch.no_grad():
        net.embed.bias.fill_(-0.7)
    return (net, *images(64, 1, 16, 8), ce)


@sick(want("saturated", "0", "1"))
def positive_weights(well=False):
    """Weights U(0, 1) on 784 non-negative pixels: every unit tens of units into the flat part.
    Source: stats.SE 286424."""
    net = nn.Sequential(nn.Linear(784, 15), nn.Sigmoid(), nn.Linear(15, 10))
    x, y = blobs(64, 784, 10, 1.0)
    x = (x.abs() * (x > 0.5)).clamp(max=2) / 2
    if not well:
        for p in net.parameters():
            nn.init.uniform_(p, 0, 1)
    return net, x, y, ce


@sick(want("saturated", "block.attn*"))
def attention_unscaled(well=False):
    """Attention without 1/sqrt(d) on large queries and keys: every row is one-hot from the start.
    Source: FrancescoSaverioZuppichini/ViT#2."""

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.pos, self.head = (
                nn.Embedding(50, 32),
                nn.Embedding(12, 32),
                nn.Linear(32, 50),
            )
            self.block = Block(32, 1, causal=True, scale=None if well else 1.0)
            if not well:
                with torch.no_grad():
                    self.block.attn.q.weight.mul_(6)
                    self.block.attn.k.weight.mul_(6)

        def forward(self, t):
            return self.head(self.block(self.emb(t) + self.pos(torch.arange(t.shape[1]))))

    t = torch.randint(0, 50, (48, 12))
    return (
        Decoder(),
        t,
        t[:, :1].expand(-1, 12).contiguous(),
        per_token,
    )  # repeat the first token: attention has to find it


@sick(want("zero_gradient", "res_gate*"))
def zero_gate(well=False):
    """A gate of two zero matrices: each is zero in front of the other, for ever; the loss falls all
    the same. Source: LAVT-RIS#25."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = nn.Linear(32, 24), nn.Linear(24, 10)
            self.res_gate = nn.Sequential(
                nn.Linear(24, 24, bias=False), nn.ReLU(), nn.Linear(24, 24, bias=False), nn.Tanh()
            )
            nn.init.zeros_(self.res_gate[2].weight)
            if not well:
                nn.init.zeros_(self.res_gate[0].weight)

        def forward(self, x):
            r = F.relu(self.stem(x))
            return self.head(r + self.res_gate(r) * r)

    return (Net(), *blobs(), ce)


@sick(want("zero_gradient", "encoder*"))
def rounded_code(well=False):
    """Torch.round has derivative 0: the encoder never moves, without any error. Source: quantised
    autoencoders without a straight-through estimator."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 16))
            self.decoder = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 32))

        def forward(self, x):
            z = 2 * self.encoder(x)
            q = torch.round(z)
            return self.decoder(z + (q - z).detach() if well else q)

    x, _ = blobs()
    return Net(), x, x.clone(), mse


@sick(want("unused", "mid.proj_attn"))
def unused_projection(well=False):
    """A projection is built and never called. Source: MONAI GenerativeModels#402."""

    class Mid(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.GroupNorm(4, 16)
            self.to_q, self.to_k, self.to_v, self.proj_attn = (nn.Linear(16, 16) for _ in range(4))

        def forward(self, x):
            n, c, h, w = x.shape
            t = self.norm(x).flatten(2).transpose(1, 2)
            a = (self.to_q(t) @ self.to_k(t).transpose(1, 2) / 4).softmax(-1) @ self.to_v(t)
            a = self.proj_attn(a) if well else a
            return x + a.transpose(1, 2).reshape(n, c, h, w)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.mid, self.head = (
                nn.Conv2d(3, 16, 3, stride=2, padding=1),
                Mid(),
                nn.Linear(16, 4),
            )

        def forward(self, x):
            return self.head(F.silu(self.mid(self.down(x))).mean((2, 3)))

    return (Net(), *images(16, 3, 8), ce)


@sick(want("detached", "phi", "theta"))
def detached_adjacency(well=False):
    """A learned adjacency is detached before it is used. Source: A-GCN#4."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.phi, self.theta, self.gc, self.head = (
                nn.Linear(8, 8),
                nn.Linear(8, 8),
                nn.Linear(8, 16),
                nn.Linear(16, 4),
            )

        def forward(self, x):  # (n, nodes, 8)
            a = (self.phi(x) @ self.theta(x).transpose(1, 2) / 3).softmax(-1)
            return self.head(F.relu(self.gc((a if well else a.detach()) @ x)).mean(1))

    return (Net(), *sequences(32, 6, 8), ce)


@sick(want("detached", "encoder*", "emb"))
def memory_no_grad(well=False):
    """An encoder and a decoder; the memory is computed under no_grad, as for inference, and stays
    so in training. Source: image captioning code."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.encoder = (
                nn.Linear(16, 32),
                nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True),
            )
            self.emb, self.decoder, self.head = (
                nn.Embedding(30, 32),
                nn.TransformerDecoderLayer(32, 4, 64, dropout=0.0, batch_first=True),
                nn.Linear(32, 30),
            )

        def forward(self, source, target):
            x = self.inner(source)
            with torch.set_grad_enabled(well):
                memory = self.encoder(x)
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            return self.head(self.decoder(self.emb(target), memory, tgt_mask=mask))

    t, y = tokens(16, 8, 30)
    return Net(), (sequences(16, 6, 16)[0], t), y, per_token


@sick(want("detached unused", "text*"))
def forgotten_output(well=False):
    """Two towers, two outputs, and the loss uses one. Source: DDP: 'not all forward outputs
    participate' (pytorch#57776)."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.image = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 4))
            self.text = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 4))

        def forward(self, image, text):
            return {"image": self.image(image), "text": self.text(text)}

    (a, y), b = blobs(64, 16, 4), torch.randn(64, 12)
    return (
        Net(),
        {"image": a, "text": b},
        y,
        lambda out, y: ce(out["image"], y) + (ce(out["text"], y) if well else 0),
    )


@sick(want("identical_layers", "layers.*", "layers", ""))
def stock_encoder(well=False):
    """Nn.TransformerEncoder copies its layer: four layers start bit-identical. Source:
    pytorch#72253."""

    def layer():
        return nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)

    net = nn.TransformerEncoder(layer(), 4, enable_nested_tensor=False)
    if well:
        net.layers = nn.ModuleList(layer() for _ in range(4))
    x, _ = sequences(16, 8, 32)
    return net, x, torch.tanh(x.flip(1)), mse


@sick(want("mixes_examples", "gru", ""))
def batch_for_time(well=False):
    """Batch_first forgotten: the GRU walks through the batch instead of through time. Source: the
    commonest silent shape fault."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(6, 32, batch_first=well), nn.Linear(32, 2)

        def forward(self, x):  # (batch, time, 6)
            return self.head(self.gru(x)[0][:, -1])

    x, y = torch.randn(160, 9, 6), torch.randint(0, 2, (160,))
    x[:, 2] = 1.5 * (2.0 * y[:, None] - 1)
    return Net(), x, y, ce


@sick(want("output_activation", "softmax", "fc3"))
def softmax_before_ce(well=False):
    """Softmax before a loss that takes logits: bounded from below at 1.46 for ten classes. Source:
    SciCo#2; TheDeepChecker redundant_softmax; UMLAUT."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(32, 48), nn.Linear(48, 48), nn.Linear(48, 10)
            self.softmax = nn.Identity() if well else nn.Softmax(dim=1)

        def forward(self, x):
            return self.softmax(self.fc3(F.relu(self.fc2(F.relu(self.fc1(x))))))

    return (he(Net()), *blobs(), ce)


@sick(want("output_activation zero_gradient", "head", "softmax", "hidden*", ""))
def softmax_of_one(well=False):
    """Softmax over a single unit is 1 for everybody. Source: SO 59129802."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.head = nn.Linear(8, 32), nn.Linear(32, 1)
            self.softmax = nn.Sigmoid() if well else nn.Softmax(dim=1)

        def forward(self, x):
            return self.softmax(self.head(torch.relu(self.hidden(x))))

    x, y = surface()
    return Net(), x, (y > 0).float(), F.binary_cross_entropy


class Unet(nn.Module):
    def __init__(self, c=8, last=None):
        super().__init__()

        def conv(a, b):
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())

        self.down1, self.down2, self.mid = conv(1, c), conv(c, 2 * c), conv(2 * c, 2 * c)
        self.up2, self.up1, self.out = conv(4 * c, c), conv(2 * c, c), nn.Conv2d(c, 1, 1)
        self.final = last or nn.Identity()

    def forward(self, image):
        a = self.down1(image)
        b = self.down2(F.max_pool2d(a, 2))
        m = F.interpolate(self.mid(F.max_pool2d(b, 2)), scale_factor=2)
        u = F.interpolate(self.up2(torch.cat([m, b], 1)), scale_factor=2)
        return {"mask": self.final(self.out(self.up1(torch.cat([u, a], 1))))}


@sick(want("output_activation", "2", "3", ""))
def relu_on_regression(well=False):
    """A final ReLU cannot reach targets below 0. Source: SO 48251943."""
    net = he(
        nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), *([] if well else [nn.ReLU()]))
    )
    return (net, *surface(), mse)


@sick(want("input_scale", "", "inputs", "fc1", "0", "fc1*"))
def raw_pixels(well=False):
    """Pixels 0..255 straight into a sigmoid layer. Source: UMLAUT input range; DeepFD
    missing_prep.
    """

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(196, 48), nn.Linear(48, 48), nn.Linear(48, 10)

        def forward(self, x):
            return self.fc3(torch.sigmoid(self.fc2(torch.sigmoid(self.fc1(x)))))

    x, y = blobs(64, 196, 10, 1.0)
    x = (128 + 60 * x).clamp(0, 255).round()
    return xavier(Net(), 4.0 if well else 1.0), (x - 128) / 60 if well else x, y, ce


@sick(want("target_scale", "", "targets", "2"))
def house_prices(well=False):
    """House prices as they are: 200000 +- 80000. Source: deepchecker targets_unnormalized."""
    x, y = surface()
    net = he(nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 1)))
    return net, x, y if well else 2e5 + 8e4 * y, mse


@sick(want("input_scale", "", "inputs", "0"))
def raw_years(well=False):
    """A column of years, 1985 +- 20, beside standardised ones. Source: input offset; SO
    58525908.
    """
    x, y = surface(96)
    net = nn.Sequential(nn.Linear(8, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    if not well:
        x = x.clone()
        x[:, 3] = (1985 + 20 * x[:, 3]).round()
    return net, x, y, mse


@sick(want("no_nonlinearity", "", "layer1", "layer2", "layer3", "layer*"))
def all_linear(well=False):
    """Three linear layers and nothing between them, on XOR. Source: UMLAUT missing activation;
    NeuraLint f009."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer1, self.layer2, self.layer3 = (
                nn.Linear(2, 16),
                nn.Linear(16, 16),
                nn.Linear(16, 2),
            )

        def forward(self, x):
            phi = torch.tanh if well else (lambda z: z)
            return self.layer3(phi(self.layer2(phi(self.layer1(x)))))

    x = torch.rand(96, 2) * 3.4 - 1.7
    return Net(), x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).long(), ce


@sick(want("first_loss", "out"), want("saturated", "hidden"))
def makemore(well=False):
    """27 characters: first loss 8 times guessing, and a tanh layer pushed into +-1. Source:
    makemore part 3."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.hidden, self.out = (
                nn.Embedding(27, 10),
                nn.Linear(30, 200),
                nn.Linear(200, 27),
            )
            nn.init.normal_(self.hidden.weight, 0, 5 / 3 / 30**0.5 if well else 1.0)
            nn.init.normal_(self.hidden.bias, 0, 0.01 if well else 1.0)
            nn.init.normal_(self.out.weight, 0, 0.01 if well else 1.0)

        def forward(self, t):
            return self.out(torch.tanh(self.hidden(self.emb(t).flatten(1))))

    return Net(), torch.randint(0, 27, (64, 3)), torch.randint(0, 27, (64,)), ce


@sick(want("scale_imbalance", "emb*", "tok*"))
def drowned_tokens(well=False):
    """The head's N(0, 0.02) overwrote the embedding: positions of RMS 0.7 drown tokens of 0.02.
    Source: fastai#2090."""

    class Lm(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.head = nn.Embedding(60, 64), nn.Linear(64, 60, bias=False)
            nn.init.normal_(self.emb.weight, 0, 0.02)
            self.head.weight = self.emb.weight
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
                for _ in range(3)
            )
            t, f = (
                torch.arange(16.0)[:, None],
                torch.exp(-math.log(1e4) * torch.arange(0, 64, 2) / 64),
            )
            self.register_buffer(
                "position", torch.stack([torch.sin(t * f), torch.cos(t * f)], -1).flatten(1)
            )

        def forward(self, t):
            x = self.emb(t) * (35.0 if well else 1.0) + self.position[: t.shape[1]]
            for layer in self.layers:
                x = layer(x)
            return self.head(x)

    return (Lm(), *tokens(16, 16, 60), per_token)


@sick(want("norm_of_one", "norm"))
def layernorm_of_one(well=False):
    """LayerNorm over a last dimension of size 1 returns its bias, whatever comes in. Source:
    univariate time series (n, t, 1)."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.inner, self.head = (
                nn.Identity() if well else nn.LayerNorm(1),
                nn.Linear(12, 32),
                nn.Linear(32, 1),
            )

        def forward(self, x):  # (n, 12, 1)
            return self.head(torch.relu(self.inner(self.norm(x)[..., 0])))

    x = torch.randn(64, 12, 1)
    y = torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    return Net(), x, (y - y.mean()) / y.std(), mse


@sick(want("input_scale", "", "inputs", "encoder*"))
def vae_raw(well=False):
    """0..255 into a VAE: log-variances spread by tens and are exponentiated. Source:
    WorldModels#9.
    """

    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 8, 4, 2, 1),
                nn.ReLU(),
                nn.Conv2d(8, 16, 4, 2, 1),
                nn.ReLU(),
                nn.Flatten(),
            )
            self.mean, self.logvar = nn.Linear(256, 8), nn.Linear(256, 8)
            self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 256))

        def forward(self, x):
            h = self.encoder(x)
            m, s = self.mean(h), self.logvar(h)
            z = m + (0.5 * s).exp() * torch.linspace(-1, 1, 8)
            return self.decoder(z).view_as(x), m, s

    x, _ = images(16, 1, 16)
    raw = (128 + 60 * x).clamp(0, 255)

    def loss(out, x):
        r, m, s = out
        return mse(r, x) + 0.01 * (s.exp() + m**2 - 1 - s).sum(1).mean()

    return Vae(), x if well else raw, x if well else raw / 255, loss


@sick(want("non_finite_backward non_finite_input", "", "targets", "loss"))
def nan_targets(well=False):
    """NaN targets are masked after the square: loss finite, gradient 0 x NaN. Source:
    pytorch#64305."""
    x, y = surface()
    gone = torch.rand(64, 1) < 0.3
    y = y.masked_fill(gone, float("nan"))
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))

    def loss(out, y):
        keep = ~y.isnan()
        return ((out[keep] - y[keep]) ** 2).mean() if well else ((out - y) ** 2)[keep].mean()

    return net, x, y, loss


@sick(want("leaves_float16", "attn*", "block.attn*"))
def query_times_key(well=False):
    """Queries times keys reach 1e5 before the division: fine in float32, infinite in float16.
    Source: transformers#24638."""

    class Late(nn.Module):
        """Divides after the product, as many models do."""

        def __init__(self, d):
            super().__init__()
            self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))

        def forward(self, x):
            q, k = self.q(x), self.k(x)
            scores = (q / 8) @ k.transpose(1, 2) if well else q @ k.transpose(1, 2) / 1e5
            return self.out(scores.softmax(-1) @ self.v(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.attn, self.head = nn.Linear(64, 64), Late(64), nn.Linear(64, 4)
            for part in (self.attn.q, self.attn.k):
                nn.init.normal_(part.weight, 0, 0.125 if well else 15.0)

        def forward(self, x):
            return self.head(self.attn(self.inner(x)).mean(1))

    return (Net(), *sequences(16, 10, 64), ce)


@sick(want("non_finite_backward", "norm"))
def layernorm_eps(well=False):
    """LayerNorm with eps 1e-12 in float16 and a constant row: 1/sqrt(1e-12) = 1e6 on the way back.
    Source: pytorch#41527."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.inner, self.head = (
                nn.LayerNorm(24, eps=1e-5 if well else 1e-12),
                nn.Linear(24, 32),
                nn.Linear(32, 4),
            )

        def forward(self, x):
            return self.head(F.gelu(self.inner(self.norm(x)))).mean(1)

    net = Net().half()
    nn.init.normal_(net.norm.bias, 0, 0.5)
    x, y = sequences(16, 6, 24)
    x[:, -1] = 0
    return net, x.half(), y, lambda out, y: ce(out.float(), y)


@sick(want("non_finite_forward", "", "log_probs", "classifier", "log_prob*"))
def log_of_softmax(well=False):
    """Log(softmax(z)) with logits of hundreds: exact 0, -inf. Source: allennlp#2797."""

    class LogProbs(nn.Module):
        def forward(self, z):
            return F.log_softmax(z, 1) if well else torch.log(F.softmax(z, 1))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.classifier, self.log_probs = (
                nn.Sequential(nn.Linear(50, 64), nn.ReLU()),
                nn.Linear(64, 6),
                LogProbs(),
            )

        def forward(self, x):
            return self.log_probs(self.classifier(self.body(x)))

    net = he(Net())
    with torch.no_grad():
        net.classifier.weight.mul_(1.0 if well else 60)
    return (net, *blobs(64, 50, 6), F.nll_loss)


@sick(want("non_finite_backward", "", "distance", "encoder*"))
def distance_of_twins(well=False):
    """The square root of a squared distance of exactly 0: derivative infinite. Source:
    pytorch#2421."""

    class Distance(nn.Module):
        def forward(self, a, b):
            return (((a - b) ** 2).sum(1) + (1e-8 if well else 0.0)).sqrt()

    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.distance = (
                nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)),
                Distance(),
            )

        def forward(self, a, b):
            return self.distance(self.encoder(a), self.encoder(b))

    a, _ = blobs(32, 16, 4)
    b = torch.where(torch.arange(32)[:, None] % 4 == 0, a, a.flip(0))
    same = (torch.arange(32) % 4 == 0).float()
    return (
        Siamese(),
        (a, b),
        same,
        lambda d, s: (s * d**2 + (1 - s) * (1.5 - d).clamp(min=0) ** 2).mean(),
    )


@healthy()
def he_relu_10():
    """Ten ReLU layers drawn as He."""
    return (he(Chain(10, 64, torch.relu)), *blobs(), ce)


@healthy()
def gelu_mlp():
    """GELU: half of the outputs are small and negative, none is dead."""
    net = nn.Sequential(
        nn.Linear(32, 96), nn.GELU(), nn.Linear(96, 96), nn.GELU(), nn.Linear(96, 10)
    )
    with torch.no_grad():
        net[0].bias.sub_(0.8)
    return (net, *blobs(), ce)


@healthy()
def conv_batch_norm():
    """Convolution and batch norm, training and evaluation mixed."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1, self.conv2, self.bn2, self.head = (
                nn.Conv2d(3, 8, 3, padding=1),
                nn.BatchNorm2d(8),
                nn.Conv2d(8, 16, 3, padding=1),
                nn.BatchNorm2d(16),
                nn.Linear(16, 4),
            )

        def forward(self, x):
            return self.head(
                F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))).mean((2, 3))
            )

    net = Net()
    net.eval()
    net.bn1.train()
    net.conv1.weight.grad = torch.ones_like(net.conv1.weight)
    return (net, *images(), ce)


@healthy()
def fixup():
    """Fixup: second matrix of each branch and the head start at 0. Source: Zhang et al. 2019."""

    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias1, self.bias2, self.scale = (
                nn.Parameter(torch.zeros(1)),
                nn.Parameter(torch.zeros(1)),
                nn.Parameter(torch.ones(1)),
            )
            self.fc1, self.fc2 = nn.Linear(32, 32, bias=False), nn.Linear(32, 32, bias=False)
            nn.init.normal_(self.fc1.weight, 0, (2 / 32) ** 0.5 * 12**-0.5)
            nn.init.zeros_(self.fc2.weight)

        def forward(self, x):
            return x + self.scale * self.fc2(F.relu(self.fc1(F.relu(x) + self.bias1)) + self.bias2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.blocks, self.head = (
                nn.Linear(32, 32),
                nn.ModuleList(Branch() for _ in range(12)),
                nn.Linear(32, 10),
            )
            nn.init.zeros_(self.head.weight), nn.init.zeros_(self.head.bias)

        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    return (Net(), *blobs(), ce)


@healthy()
def prenorm_12():
    """A pre-norm transformer of 12 blocks: the residual stream grows, as it should."""
    return (
        Pooled(nn.Sequential(*[Block(32) for _ in range(12)], nn.LayerNorm(32)), 32, 4),
        *sequences(32, 10, 32),
        ce,
    )


@healthy()
def lstm_tagger():
    """A bidirectional LSTM that labels every step, embeddings with padding and rows that are not in
    the batch."""

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.lstm, self.head = (
                nn.Embedding(500, 24, padding_idx=0),
                nn.LSTM(24, 24, batch_first=True, bidirectional=True),
                nn.Linear(48, 5),
            )

        def forward(self, t):
            return self.head(self.lstm(self.emb(t))[0])

    t = torch.randint(1, 40, (16, 20))
    t[:, 15:] = 0
    return Tagger(), t, t % 5, per_token


@healthy()
def gru_last():
    """A GRU over 15 steps, loss on the last."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(8, 32, batch_first=True), nn.Linear(32, 4)

        def forward(self, x):
            return self.head(self.gru(x)[1][-1])

    return (Net(), *sequences(32, 15, 8), ce)


@healthy()
def dropout_half():
    """Dropout 0.5 everywhere: half of all values are 0 by design."""
    net = he(
        nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(32, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
        )
    )
    with torch.no_grad():
        net[7].weight.mul_(0.5)
    return (net, *blobs(), ce)


@healthy()
def zero_head():
    """The last layer starts at 0: the layers below have no gradient NOW, from step 2 they have.
    Source: universal_adversarial#4."""
    net = he(Chain(4, 48, torch.relu))
    nn.init.zeros_(net.block4.weight)
    return (net, *blobs(), ce)


@healthy()
def focal_bias():
    """A detector's class bias of -4.6 by design, focal loss. Source: pytorch-retinanet#10."""
    net = he(
        nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 1, 1),
        )
    )
    nn.init.normal_(net[4].weight, 0, 0.01)
    nn.init.constant_(net[4].bias, -4.6)
    x, _ = images(16, 3, 12)
    t = (x.mean(1, keepdim=True) > 1.2).float()

    def focal(z, t):
        p = torch.sigmoid(z)
        return (
            -t * 0.25 * (1 - p) ** 2 * F.logsigmoid(z) - (1 - t) * 0.75 * p**2 * F.logsigmoid(-z)
        ).sum() / t.sum().clamp(min=1)

    return net, x, t, focal


@healthy()
def waist_autoencoder():
    """An autoencoder with a waist of 2, linear on purpose."""

    class Auto(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(8, 48), nn.Tanh(), nn.Linear(48, 2))
            self.decoder = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 8))

        def forward(self, x):
            return self.decoder(self.encoder(x))

    a = torch.rand(64, 1) * 6.28
    x = torch.cat(
        [torch.sin(k * a + k) for k in range(1, 5)] + [torch.cos(k * a) for k in range(1, 5)], 1
    )
    return Auto(), x, x.clone(), mse


@healthy()
def unet():
    """A U-Net with batch norm, kwargs in, a dict out, logits to their loss."""
    x, _ = images(12, 1, 16)
    return Unet(8), {"image": x}, (x > 0.3).float(), lambda out, t: bce_logits(out["mask"], t)


@healthy()
def seq2seq():
    """The full nn.Transformer, source and target, look-ahead mask of -inf. Source: pytorch#72253:
    this one draws every layer anew."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target, self.head = (
                nn.Embedding(30, 32),
                nn.Embedding(30, 32),
                nn.Linear(32, 30),
            )
            self.transformer = nn.Transformer(32, 4, 2, 2, 64, dropout=0.1, batch_first=True)

        def forward(self, source, target):
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            return self.head(
                self.transformer(self.source(source), self.target(target), tgt_mask=mask)
            )

    s, _ = tokens(24, 8, 30)
    return Net(), (s, s.roll(1, 1)), s, per_token


@healthy()
def bf16_mlp():
    """Bfloat16 and well scaled."""
    net = he(
        nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    ).bfloat16()
    x, y = blobs()
    return net, x.bfloat16(), y, lambda out, y: ce(out.float(), y)


@healthy()
def tabular():
    """Standard normal inputs reach 4: over 1, and right. Source: UMLAUT would warn."""
    return (
        he(
            nn.Sequential(
                nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
            )
        ),
        *surface(128),
        mse,
    )


@healthy()
def straight_through():
    """A straight-through estimator: detach by design. Source: VQ-VAE."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = (
                nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 16)),
                nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 32)),
            )

        def forward(self, x):
            z = 2 * self.encoder(x)
            return self.decoder(z + (torch.round(z) - z).detach())

    x, _ = blobs()
    return Net(), x, x.clone(), mse


@healthy()
def low_rank():
    """A low-rank factorisation: two linear layers in a row inside a nonlinear network. Source:
    factorised embeddings."""
    net = nn.Sequential(
        nn.Linear(32, 8, bias=False),
        nn.Linear(8, 64),
        nn.ReLU(),
        nn.Linear(64, 8, bias=False),
        nn.Linear(8, 10),
    )
    return (net, *blobs(), ce)


@healthy()
def complex_linear():
    """Complex weights. Source: complex-valued networks."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(16, 32, dtype=torch.complex64), nn.Linear(32, 4)

        def forward(self, x):
            return self.head(self.inner(x.to(torch.complex64)).abs())

    return (Net(), *blobs(64, 16, 4), ce)


@healthy()
def tanh_generator():
    """A generator that ends in tanh for images in -1..1, transposed convolutions."""
    net = nn.Sequential(
        nn.Linear(8, 256),
        nn.Unflatten(1, (16, 4, 4)),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 16, 4, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, 1),
        nn.Tanh(),
    )
    return net, torch.randn(32, 8), torch.tanh(images(32, 1, 16)[0]), mse
