import pytest
import torch

from scge_pyg.transforms import SeriesToNodes

generator = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("lead", [(), (3,)])
@pytest.mark.parametrize(("length", "hop"), [(1, None), (4, None), (6, 1), (5, 3)])
def test_there_and_back(lead, length, hop):
    series = torch.rand(*lead, 20, 7, generator=generator)
    cut = SeriesToNodes(length, hop)
    x = cut(series)
    assert x.shape[-2:] == (7, length)
    for number in range(x.shape[-3]):
        start = number * (hop or length)
        assert torch.equal(x[..., number, :, :], series[..., start : start + length, :].transpose(-1, -2))
    assert torch.equal(cut.inverse(x), series)


def test_each_step_is_a_sample_by_default():
    series = torch.rand(20, 7, generator=generator)
    assert torch.equal(SeriesToNodes()(series), series.unsqueeze(2))


def test_several_recordings():
    x = SeriesToNodes(3)([torch.zeros(7, 2), (torch.ones(4, 2), 0.5)])
    assert x.shape == (3, 2, 3)
    assert x.flatten(1).mean(1).tolist() == [0, 0, 1]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="SeriesToNodes: recording 1 has the rate 2 Hz, but 1 Hz is expected"):
        SeriesToNodes(3)([(torch.zeros(7, 2), 1), (torch.zeros(7, 2), 2)])
    with pytest.raises(ValueError, match=r"recordings must be of the same sensors, got \[2, 3\] of them"):
        SeriesToNodes(3)([torch.zeros(7, 2), torch.zeros(7, 3)])
    with pytest.raises(ValueError, match="SeriesToNodes: length is 8, but the recording has 7 steps"):
        SeriesToNodes(8)(torch.zeros(7, 2))
    with pytest.raises(ValueError, match=r"x must be \[\.\.\., T, N\], got \[7\]"):
        SeriesToNodes(3)(torch.zeros(7))
    with pytest.raises(ValueError, match=r"x must be \[\.\.\., S, N, 3\], got \[2, 5, 4\]"):
        SeriesToNodes(3).inverse(torch.zeros(2, 5, 4))


def test_repr():
    assert str(SeriesToNodes(4, 2)) == "SeriesToNodes(length=4, hop=2)"
