# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # An image as a few movable parts
#
# Principal components describe an image as one whole: move one of two objects and every coefficient changes. `CGAE`
# writes it as a short list instead: which prototype, and where. Nothing is told to it but the images, and a list can be
# edited by hand.
#
# `python tutorials/parts.py` makes scenes of known shapes, learns the shapes from the scenes alone, finds where they
# are, takes an image apart, and moves a part. `SCGE_QUICK=1` takes fewer scenes, `SCGE_PICTURE=parts.png` saves the
# picture.

# %%
import math
import os

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from scge_pyg.models.cgae import CGAE

QUICK = os.environ.get("SCGE_QUICK") == "1"
PICTURE = os.environ.get("SCGE_PICTURE")
torch.set_num_threads(1)
results: dict[tuple[str, str], float] = {}

# %% [markdown]
# ## Scenes
#
# Four shapes of 5 x 5 pixels; up to three of them lie in an image of 20 x 20, anywhere, and every pixel has noise.
# Where shapes meet they add up.

# %%
SHAPES = torch.tensor(
    [
        [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]],
        [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]],
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]],
        [[1, 0, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [1, 0, 0, 0, 1]],
    ],
    dtype=torch.float32,
)
generator = torch.Generator().manual_seed(0)


def scenes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images ``[S, 20, 20]``, and how many shapes each has."""
    x, number = torch.zeros(count, 20, 20), torch.randint(0, 4, (count,), generator=generator)
    for n in range(count):
        for _ in range(int(number[n])):
            shape, i, j = (int(torch.randint(high, (), generator=generator)) for high in (4, 16, 16))
            x[n, i : i + 5, j : j + 5] += SHAPES[shape]
    return x + 0.05 * torch.randn(x.shape, generator=generator), number


train, _ = scenes(800 if QUICK else 3000)
test, number = scenes(200)

# %% [markdown]
# ## Learning
#
# Six prototypes where four would do: one does not know. Each part costs `math.log(K * P)` nats, what it takes to name
# one of K prototypes at one of P places, so that an image without shapes needs no part at all. Learning alternates:
# every image's parts are drawn again given the others, one correlation for all placements, and prototypes follow what
# their parts left unexplained.

# %%
model = CGAE((20, 20), num_prototypes=6, num_parts=4, prototype_size=5, price=math.log(6 * 400))
fit = model.fit(train, epochs=12, batch_size=30, lr=0.1)
model.requires_grad_(False)
print(model)
print(f"variance explained {fit.explained[-1]:.3f}, noise {float(model.noise):.3f} (true: 0.05)")

found, true = (F.normalize(w.flatten(1)).view(-1, 1, 5, 5) for w in (model.prototypes, SHAPES))
alike = F.conv2d(true, found, padding=4).flatten(2).amax(2)
print("each shape's likest prototype, cosine:", [round(float(best), 3) for best in alike.amax(1)])
results["shapes", "cosine"] = float(alike.amax(1).min())
results["noise", "found"] = float(model.noise)

# %% [markdown]
# ## Reading images
#
# `encode` gives rows, columns and prototypes, -1 for a part that is not needed.

# %%
code = model.encode(test)
used = (code.k >= 0).sum(1)
print(
    "first image:",
    [(int(k), int(i), int(j)) for k, i, j in zip(code.k[0], code.i[0], code.j[0], strict=True) if k >= 0],
)
print(f"as many parts as shapes in {float((used == number).float().mean()):.0%} of the images")
results["parts", "counted"] = float((used == number).float().mean())
error = float((model.decode(code) - test).square().sum((1, 2)).mean())
print(f"squared error {error:.2f}, of which noise {400 * 0.05**2:.2f}")
results["error", "over the noise"] = error / (400 * 0.05**2)

# %% [markdown]
# ## Taking it apart, and moving a part
#
# A part is left out by setting its `k` to -1, and moved by changing its `i` and `j`.

# %%
chosen = int((number == 3).nonzero()[0])
one = type(code)(*(value[chosen : chosen + 1] for value in code))
order = (one.k[0] < 0).long().argsort(stable=True)
one = one._replace(i=one.i[:, order], j=one.j[:, order], k=one.k[:, order], b=one.b[:, order])
steps = [one._replace(k=torch.where(torch.arange(4) < shown, one.k, -1)) for shown in range(1, 4)]
moved = one._replace(i=one.i.clone())
moved.i[0, 0] = 19 - moved.i[0, 0]
with torch.no_grad():
    rebuilt = [model.decode(step)[0] for step in (*steps, moved)]

# %%
figure, axes = plt.subplots(2, 6, figsize=(11, 4.4), layout="constrained")
for k, axis in enumerate(axes[0]):
    axis.imshow(model.prototypes[k].numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"prototype {k}\nin {int((code.k == k).sum())} parts", fontsize=9)
titles = ["image", "one part", "two", "three", "first part moved"]
for axis, image, title in zip(axes[1], [test[chosen], *rebuilt], titles, strict=False):
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, fontsize=9)
axes[1, 5].imshow(test[chosen].numpy(), cmap="gray", vmin=0, vmax=1)
for h in range(3):
    i, j = int(one.i[0, h]), int(one.j[0, h])
    axes[1, 5].add_patch(plt.Rectangle((j - 2.5, i - 2.5), 5, 5, fill=False, color=f"C{h}", linewidth=2))
    axes[1, 5].text(j + 3, i - 2, str(int(one.k[0, h])), color=f"C{h}", fontsize=9)
axes[1, 5].set_title("parts on the image", fontsize=9)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
if PICTURE:
    figure.savefig(PICTURE, dpi=130)
plt.close(figure)
