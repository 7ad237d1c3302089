"""Windows and blocks against loops and torch's own unfold, and back to the bit."""

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from scge_pyg.transforms import ImageToPatches, NodesToImage, VideoToNodes, VideoToPatches, VolumeToNodes
from scge_pyg.transforms.pieces import overlap_mean, windows

generator = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("length", "hop", "steps"), [(4, 4, 12), (4, 1, 11), (5, 3, 17), (3, 3, 3), (7, 2, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int16])
def test_windows_come_back_to_the_bit(length, hop, steps, dtype):
    x = (1000 * torch.rand(2, 3, steps, generator=generator)).to(dtype)
    cut = windows(x, length, hop, "here")
    for number in range(cut.shape[-2]):
        assert torch.equal(cut[..., number, :], x[..., hop * number : hop * number + length])
    covered = (cut.shape[-2] - 1) * hop + length
    assert steps - hop < covered <= steps
    back = overlap_mean(cut, hop, "here")
    assert back.dtype == dtype
    assert torch.equal(back, x[..., :covered])


def test_overlaps_are_averaged_and_gradients_pass():
    pieces = torch.rand(4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    total, count = torch.zeros(11, dtype=torch.float64), torch.zeros(11)
    for number in range(4):
        total[2 * number : 2 * number + 5] += pieces[number].detach()
        count[2 * number : 2 * number + 5] += 1
    back = overlap_mean(pieces, 2, "here")
    assert torch.allclose(back, total / count, rtol=0, atol=1e-14)
    back.sum().backward()
    expected = torch.stack([1 / count[2 * number : 2 * number + 5] for number in range(4)]).double()
    assert torch.allclose(pieces.grad, expected)


def test_missing_values_stay_missing():
    x = torch.tensor([1.0, torch.nan, 3.0, 4.0, 5.0])
    back = overlap_mean(windows(x, 3, 1, "here"), 1, "here")
    assert torch.equal(back.isnan(), x.isnan())
    assert torch.equal(back[2:], x[2:])


@pytest.mark.parametrize(("shape", "patch"), [((2, 3, 6, 8), (3, 2)), ((3, 4, 4), (4, 4)), ((2, 5, 1, 6, 4), (1, 4))])
def test_patches_are_those_of_unfold(shape, patch):
    images = torch.rand(shape, generator=generator)
    cut = ImageToPatches(patch)
    nodes = cut(images)
    flat = images.flatten(0, -4) if images.dim() > 3 else images.unsqueeze(0)
    expected = F.unfold(flat, patch, stride=patch).transpose(1, 2)
    assert torch.equal(nodes, expected.view(nodes.shape))
    assert torch.equal(cut.inverse(nodes, shape[-2:]), images)


def test_space_time_patches_against_a_loop():
    video = torch.rand(4, 3, 6, 9, generator=generator)
    cut = VideoToPatches((2, 3, 3))
    nodes = cut(video)
    assert nodes.shape == (2 * 2 * 3, 3 * 18)
    for node in range(12):
        t, row, column = node // 6, node // 3 % 2, node % 3
        block = video[2 * t : 2 * t + 2, :, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        assert torch.equal(nodes[node], block.transpose(0, 1).flatten())
    assert torch.equal(cut.inverse(nodes, (4, 6, 9)), video)
    batch = torch.rand(2, 4, 3, 6, 9, generator=generator)
    assert torch.equal(cut(batch)[1], cut(batch[1]))
    assert torch.equal(cut.inverse(cut(batch), (4, 6, 9)), batch)


def test_voxels_come_in_row_major_order():
    volume = torch.arange(24.0).view(1, 2, 3, 4)
    assert torch.equal(VolumeToNodes()(volume)[:, 0], torch.arange(24.0))
    batch = torch.rand(5, 2, 3, 4, 2, generator=generator)
    nodes = VolumeToNodes()(batch)
    assert torch.equal(nodes[3, 2 * 4 * 2 + 1 * 2 + 1], batch[3, :, 2, 1, 1])
    assert torch.equal(NodesToImage((3, 4, 2))(nodes), batch)


@pytest.mark.parametrize("lead", [(), (2,)])
def test_windows_of_frames(lead):
    video = torch.rand(*lead, 7, 3, 4, 5, generator=generator)
    cut = VideoToNodes(3, hop=2)
    nodes = cut(video)
    assert nodes.shape == (*lead, 3, 60, 3)
    for window in range(3):
        for frame, row, column in ((0, 0, 0), (2, 3, 4), (1, 2, 0)):
            node = (frame * 4 + row) * 5 + column
            assert torch.equal(nodes[..., window, node, :], video[..., 2 * window + frame, :, row, column])
    assert torch.equal(cut.inverse(nodes, (4, 5)), video)


def test_frames_as_samples():
    video = torch.rand(7, 3, 4, 5, generator=generator)
    assert torch.equal(VideoToNodes(1)(video), video.flatten(2).transpose(1, 2))


@pytest.mark.parametrize(
    ("convert", "shape", "nodes"),
    [
        (ImageToPatches(2), (3, 4, 6), (6, 12)),
        (VideoToPatches((1, 2, 2)), (2, 3, 4, 6), (12, 12)),
        (VolumeToNodes(), (2, 3, 4, 5), (60, 2)),
    ],
)
def test_data_holds_one_sample(convert, shape, nodes):
    x = torch.rand(shape, generator=generator)
    data = Data(x=x, y=torch.tensor([1]))
    converted = convert(data)
    assert data.x is x
    assert converted.x.shape == nodes
    assert torch.equal(converted.x, convert(x))
    assert torch.equal(convert(Data(x=x.unsqueeze(0))).x, converted.x)
    assert next(iter(DataLoader([converted] * 2, batch_size=2))).x.shape == (2 * nodes[0], nodes[1])
    with pytest.raises(ValueError, match=r"one sample .* got \[2, .*before batching"):
        convert(Data(x=torch.stack([x, x])))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"ImageToPatches: patches of 4x4 don't fill 6x8; .* crop or pad"):
        ImageToPatches(4)(torch.rand(3, 6, 8))
    with pytest.raises(ValueError, match=r"size=\(4, 4\) has 4 patches of 4 values a channel, but x is \[5, 12\]"):
        ImageToPatches(2).inverse(torch.rand(5, 12), (4, 4))
    with pytest.raises(ValueError, match=r"don't fill size=\(5, 4\)"):
        ImageToPatches(2).inverse(torch.rand(4, 12), (5, 4))
    with pytest.raises(ValueError, match=r"VideoToPatches: patch must be one number or 3, got \(2, 2\)"):
        VideoToPatches((2, 2))
    with pytest.raises(ValueError, match="VideoToNodes: length must be a whole number of at least 1, got 0"):
        VideoToNodes(0)
    with pytest.raises(ValueError, match="VideoToNodes: length is 5, but the recording has 4 steps"):
        VideoToNodes(5)(torch.rand(4, 1, 2, 2))
    with pytest.raises(ValueError, match="windows of 2 steps every 3 leave gaps"):
        VideoToNodes(2, hop=3).inverse(VideoToNodes(2, hop=3)(torch.rand(8, 1, 2, 2)), (2, 2))
    with pytest.raises(ValueError, match=r"x must be \[\.\.\., S, 12, C\] for windows of 3 frames of 2x2"):
        VideoToNodes(3).inverse(torch.rand(2, 8, 1), (2, 2))
    with pytest.raises(TypeError, match=r"VolumeToNodes: x must be a tensor .* got list"):
        VolumeToNodes()([1, 2])
    with pytest.raises(ValueError, match=r"VolumeToNodes: x must be .* got \[3, 4, 5\]"):
        VolumeToNodes()(torch.rand(3, 4, 5))


def test_repr():
    assert str(ImageToPatches((2, 3))) == "ImageToPatches(2x3)"
    assert str(VideoToPatches(2)) == "VideoToPatches(2x2x2)"
    assert str(VideoToNodes(4)) == "VideoToNodes(length=4, hop=4)"
    assert str(VolumeToNodes()) == "VolumeToNodes()"
