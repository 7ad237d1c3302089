"""Depth images by a loop, what a turn of the cloud does to them, and a task that they solve."""

import pytest
import torch

from scge_pyg.zoo.operators import SimpleView, depth_images


def test_depth_by_a_loop():
    pos = torch.randn(2, 60, 3, generator=torch.Generator().manual_seed(610))
    found = depth_images(pos, 8)
    for b in range(2):
        low, high = pos[b].amin(0), pos[b].amax(0)
        moved = 2 * (pos[b] - (low + high) / 2) / (high - low).max()
        expected = torch.zeros(6, 8, 8)
        for point in moved:
            cell = ((point + 1) / 2 * 8).long().clamp_max(7)
            for axis in range(3):
                row, column = (a for a in range(3) if a != axis)
                for way, sign in enumerate((1, -1)):
                    value = (1 + sign * point[axis]) / 2 + 1 / 8
                    pixel = (2 * axis + way, int(cell[row]), int(cell[column]))
                    expected[pixel] = max(expected[pixel], float(value))
        assert torch.allclose(found[b], expected, atol=1e-6)


def test_a_quarter_turn_exchanges_views():
    pos = torch.randn(1, 80, 3, generator=torch.Generator().manual_seed(611))
    turned = torch.stack([-pos[..., 1], pos[..., 0], pos[..., 2]], -1)  # about z
    a, b = depth_images(pos, 16)[0], depth_images(turned, 16)[0]
    for new, old in (
        (2, a[0].flip(0)),
        (3, a[1].flip(0)),
        (0, a[3]),
        (1, a[2]),
        (4, a[4].T.flip(0)),
        (5, a[5].T.flip(0)),
    ):
        assert torch.allclose(b[new], old, atol=1e-5)  # what was seen along x is seen along y, and so on


def test_order_and_scale_of_the_points_do_not_matter():
    pos = torch.randn(3, 50, 3, generator=torch.Generator().manual_seed(612))
    order = torch.randperm(50, generator=torch.Generator().manual_seed(613))
    assert torch.equal(depth_images(pos, 8), depth_images(pos[:, order], 8))
    assert torch.allclose(depth_images(pos, 8), depth_images(4 * pos + 3, 8), atol=1e-4)
    assert torch.isfinite(depth_images(torch.zeros(1, 1, 3), 8)).all()


def test_balls_and_boxes_are_told_apart():
    generator = torch.Generator().manual_seed(614)

    def clouds(count):
        label = torch.arange(count) % 2
        ball = torch.nn.functional.normalize(torch.randn(count, 100, 3, generator=generator), dim=2)
        box = ball / ball.abs().amax(2, keepdim=True)
        return torch.where(label.view(-1, 1, 1) == 0, ball, box), label

    torch.manual_seed(0)
    model = SimpleView(2, resolution=12, width=4)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(50):
        pos, label = clouds(16)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(pos), label).backward()
        optimizer.step()
    model.eval()
    pos, label = clouds(40)
    assert float((model(pos).argmax(1) == label).double().mean()) > 0.9


def test_refused():
    with pytest.raises(ValueError, match="pos must be float"):
        depth_images(torch.zeros(5, 3), 8)
    with pytest.raises(ValueError, match="finite and hold at least one point"):
        depth_images(torch.full((1, 2, 3), float("nan")), 8)
    with pytest.raises(ValueError, match="at least one point"):
        depth_images(torch.zeros(1, 0, 3), 8)
    with pytest.raises(ValueError, match="resolution must be"):
        SimpleView(2, resolution=2)
