"""Probabilities by the branches of a Huffman tree."""

import heapq

import pytest
import torch

from scge_pyg.zoo.embeddings import HierarchicalSoftmax


def cost_by_heap(frequency):
    """Total length of all words in Huffman's code, by the textbook."""
    heap, total = list(frequency), 0.0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        total += both
        heapq.heappush(heap, both)
    return total


@pytest.mark.parametrize("classes", [2, 3, 7, 64, 500])
def test_the_tree_is_huffmans_and_probabilities_sum_to_one(classes):
    generator = torch.Generator().manual_seed(410)
    frequency = torch.rand(classes, generator=generator, dtype=torch.double) ** 4 + 1e-4
    softmax = HierarchicalSoftmax(frequency, 5)
    assert float((frequency * softmax.length).sum()) == pytest.approx(cost_by_heap(frequency.tolist()))
    assert float((0.5 ** softmax.length.double()).sum()) == pytest.approx(1.0)
    with torch.no_grad():
        softmax.weight.normal_(generator=generator)
    h = torch.randn(20, 5, generator=generator)
    every = softmax.all_log_probs(h)
    assert torch.allclose(every.exp().sum(1), torch.ones(20), atol=1e-5)
    target = torch.randint(classes, (20,), generator=generator)
    assert torch.allclose(softmax.log_prob(h, target), every[torch.arange(20), target], atol=1e-5)


def test_every_branch_is_even_at_first():
    softmax = HierarchicalSoftmax(torch.ones(8), 3)
    assert softmax.length.tolist() == [3] * 8
    assert torch.allclose(softmax.all_log_probs(torch.randn(2, 3)).exp(), torch.full((2, 8), 1 / 8))
    with torch.no_grad():
        softmax.weight += 1
    softmax.reset_parameters()
    assert not softmax.weight.any()
    assert "classes=8, dim=3, longest=3" in repr(softmax)


def test_gradients():
    softmax = HierarchicalSoftmax(torch.tensor([1.0, 2.0, 3.0, 4.0]), 2).double()
    h = torch.randn(6, 2, dtype=torch.double, generator=torch.Generator().manual_seed(411)).requires_grad_()
    target = torch.tensor([0, 1, 2, 3, 3, 0])

    def loss(h, weight):
        return torch.func.functional_call(_LogProb(softmax), {"softmax.weight": weight}, (h, target))

    assert torch.autograd.gradcheck(loss, (h, torch.randn(3, 2, dtype=torch.double, requires_grad=True)))


class _LogProb(torch.nn.Module):
    def __init__(self, softmax):
        super().__init__()
        self.softmax = softmax

    def forward(self, h, target):
        return self.softmax.log_prob(h, target)


@pytest.mark.parametrize("frequency", [[1.0], [1.0, 0.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_refused(frequency):
    with pytest.raises(ValueError, match="frequency must be"):
        HierarchicalSoftmax(torch.tensor(frequency), 3)
