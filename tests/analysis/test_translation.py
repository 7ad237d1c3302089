import math

import pytest
import torch

from scge_pyg.analysis import path_shape, shift_images, translation_path


def test_lines_and_circles():
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    line = path_shape(torch.stack([3 * t, 1 - t], 1))
    assert line.straightness.item() == pytest.approx(1)
    assert line.evenness.item() == pytest.approx(0, abs=1e-12)
    assert line.length.item() == pytest.approx(math.sqrt(10))
    for share, straightness in ((1.0, 0.0), (0.5, 1 / (8 * math.sin(math.pi / 16)))):
        angle = 2 * math.pi * share * t
        circle = path_shape(torch.stack([angle.cos(), angle.sin()], 1))
        assert circle.straightness.item() == pytest.approx(straightness, abs=1e-12)
        assert circle.evenness.item() == pytest.approx(0, abs=1e-12)
    uneven = path_shape(torch.tensor([0.0, 1.0, 4.0]))
    assert uneven.straightness.item() == 1
    assert uneven.evenness.item() == pytest.approx(0.5)
    assert uneven.steps.tolist() == [1.0, 3.0]


def test_what_does_not_move_has_no_shape():
    still = path_shape(torch.ones(4, 2))
    assert still.length == 0
    assert still.straightness.isnan()
    assert still.evenness.isnan()


def test_codes_of_the_position_run_straight_and_evenly():
    image = torch.zeros(1, 5, 30)
    image[:, 1:3, 2:4] = 1
    shifted = shift_images(image, [(0, i) for i in range(20)])

    def encode(x):
        return (x.sum((1, 2)) * torch.arange(30.0)).sum(1, keepdim=True) / x.sum((1, 2, 3)).unsqueeze(1)

    def circle(z):
        return torch.cat([(z * 2 * math.pi / 19).cos(), (z * 2 * math.pi / 19).sin()], 1)

    found = translation_path(encode, circle, shifted, chunk_size=3)
    assert found.latent.straightness.item() == pytest.approx(1, abs=1e-5)
    assert found.latent.evenness.item() == pytest.approx(0, abs=1e-5)
    assert found.latent.length.item() == pytest.approx(19, rel=1e-5)
    assert found.reconstruction.straightness.item() == pytest.approx(0, abs=1e-5)
    assert found.data.evenness.item() == pytest.approx(0, abs=1e-6)
    assert found.data.straightness.item() == pytest.approx(math.sqrt(8) / (19 * 2))


def test_node_sets_and_modules():
    model = torch.nn.Linear(6, 2)
    found = translation_path(lambda x: model(x.flatten(1)), lambda z: z.view(-1, 2, 1), torch.randn(4, 3, 2))
    assert not found.latent.length.requires_grad
    assert found.reconstruction.steps.shape == (3,)
    torch.testing.assert_close(found.latent.steps, found.reconstruction.steps)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (-2, 1), (0, -3), (3, 4), (4, 0), (9, -9), (-4, -5)])
def test_shifts_equal_brute_force(shift):
    image = torch.arange(1.0, 41.0).view(2, 4, 5)
    expected = torch.zeros_like(image)
    for i in range(4):
        for j in range(5):
            a, b = i - shift[0], j - shift[1]
            if 0 <= a < 4 and 0 <= b < 5:
                expected[:, i, j] = image[:, a, b]
    found = shift_images(image, [shift, (0, 0)])
    assert torch.equal(found[0], expected)
    assert torch.equal(found[1], image)
    assert torch.equal(shift_images(image, torch.tensor([shift]))[0], expected)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least 3 points"):
        path_shape(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="holds NaN"):
        path_shape(torch.full((4, 3), torch.nan))
    with pytest.raises(ValueError, match=r"image must be \[C, H, W\]"):
        shift_images(torch.zeros(4, 4), [(0, 1)])
    with pytest.raises(ValueError, match="shifts must be integer pairs"):
        shift_images(torch.zeros(1, 4, 4), [(0.5, 1.0)])
    with pytest.raises(ValueError, match="shifts must be integer pairs"):
        shift_images(torch.zeros(1, 4, 4), torch.tensor([1, 2]))
    training = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    with pytest.raises(ValueError, match="call eval"):
        translation_path(training, lambda z: z, torch.rand(4, 3))
