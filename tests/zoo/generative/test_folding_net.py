"""Folding: distances by a loop, invariance, and a sheet that learns a surface."""

import pytest
import torch

from scge_pyg.zoo.generative import FoldingNet, chamfer_distance, local_covariance


def test_chamfer_by_a_loop_and_its_gradient():
    generator = torch.Generator().manual_seed(620)
    a = torch.randn(2, 7, 3, generator=generator, dtype=torch.double)
    b = torch.randn(2, 9, 3, generator=generator, dtype=torch.double)
    for n in range(2):
        there = sum(min(float((x - y).norm()) for y in b[n]) for x in a[n]) / 7
        back = sum(min(float((x - y).norm()) for x in a[n]) for y in b[n]) / 9
        assert float(chamfer_distance(a, b)[n]) == pytest.approx(max(there, back))
    assert torch.autograd.gradcheck(chamfer_distance, (a.requires_grad_(), b.requires_grad_()))
    same = a.detach().clone().requires_grad_()
    chamfer_distance(same, a.detach()).sum().backward()
    assert not same.grad.any()


def test_covariance_of_numpy():
    pos = torch.randn(1, 10, 3, generator=torch.Generator().manual_seed(621), dtype=torch.double)
    index = torch.tensor([[[0, 3, 5, 7]] * 10])
    assert torch.allclose(local_covariance(pos, index)[0, 2].view(3, 3), pos[0, [0, 3, 5, 7]].T.cov(correction=0))


def test_the_codeword_does_not_hang_on_the_order():
    net = FoldingNet(code=16, hidden=8, k=5, side=4)
    pos = torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(622))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(623))
    assert torch.allclose(net.encode(pos), net.encode(pos[:, order]), atol=1e-5)
    assert net(pos).shape == (2, 16, 3)
    assert torch.allclose(net(pos)[1], net(pos[1:])[0], atol=1e-5)


def test_a_sheet_learns_curved_surfaces():
    generator = torch.Generator().manual_seed(624)

    def saddles(count):
        u = 2 * torch.rand(count, 80, 2, generator=generator) - 1
        bend = 2 * torch.rand(count, 1, generator=generator) - 1
        return torch.cat([u, (bend * (u[..., 0] ** 2 - u[..., 1] ** 2))[..., None]], 2)

    torch.manual_seed(0)
    net = FoldingNet(code=16, hidden=24, k=6, side=9)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    test = saddles(20)
    before = float(chamfer_distance(net(test), test).mean().detach())
    for _ in range(150):
        cloud = saddles(16)
        optimizer.zero_grad()
        chamfer_distance(net(cloud), cloud).mean().backward()
        optimizer.step()
    after = float(chamfer_distance(net(test), test).mean().detach())
    assert after < 0.25 < 0.6 * before


def test_refused():
    net = FoldingNet(k=8)
    with pytest.raises(ValueError, match="more than k=8 points"):
        net(torch.zeros(1, 8, 3))
    with pytest.raises(ValueError, match="must be finite"):
        net(torch.full((1, 20, 3), float("nan")))
    with pytest.raises(ValueError, match="with points"):
        chamfer_distance(torch.zeros(1, 0, 3), torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match="side must be"):
        FoldingNet(side=1)
