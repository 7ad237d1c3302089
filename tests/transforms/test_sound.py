"""Windows to the bit; spectrograms against closed forms, scipy, and values of librosa."""

import math

import numpy as np
import pytest
import scipy.signal
import torch

from scge_pyg.transforms import SoundToLogMel, SoundToWindows
from scge_pyg.transforms.sound import mel_filters

generator = torch.Generator().manual_seed(0)


def test_windows_of_one_recording():
    sound = torch.rand(10, generator=generator)
    cut = SoundToWindows(4, hop=3)
    x = cut(sound)
    assert x.shape == (3, 4, 1)
    for number in range(3):
        assert torch.equal(x[number, :, 0], sound[3 * number : 3 * number + 4])
    assert torch.equal(cut.inverse(x), sound.unsqueeze(0))


def test_channels_and_batches():
    sound = torch.rand(5, 2, 20, generator=generator)
    cut = SoundToWindows(6)
    x = cut(sound)
    assert x.shape == (5, 3, 6, 2)
    assert torch.equal(x[4, 2, :, 1], sound[4, 1, 12:18])
    assert torch.equal(cut.inverse(x), sound[..., :18])


def test_no_window_reaches_into_the_next_recording():
    first, second = torch.zeros(2, 11), torch.ones(2, 7)
    x = SoundToWindows(3)([first, (second, 8000)])
    assert x.shape == (5, 3, 2)
    assert x.flatten(1).mean(1).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("convert", [SoundToWindows(4), SoundToLogMel(8000, mels=2, frames=1, window=16)])
def test_bad_recordings_are_refused(convert):
    name = type(convert).__name__
    with pytest.raises(ValueError, match=rf"{name}: recording 1 has the rate 16000 Hz, but 8000 Hz is expected; resam"):
        convert([(torch.rand(99), 8000), (torch.rand(99), 16000)])
    with pytest.raises(ValueError, match=f"{name}: recording 2 has the rate 44100 Hz, but 8000 Hz is expected"):
        convert([(torch.rand(99), 8000), torch.rand(99), (torch.rand(99), 44100)])
    with pytest.raises(TypeError, match=rf"{name}: .* got ndarray; convert arrays"):
        convert(np.zeros(99))
    with pytest.raises(
        TypeError, match=rf"{name}: expected a tensor, a pair \(tensor, rate\), or a list of them, got tu"
    ):
        convert((torch.rand(99), torch.rand(99)))
    with pytest.raises(ValueError, match=f"{name}: the list of recordings is empty"):
        convert([])


def test_a_rate_that_is_asked_for():
    with pytest.raises(ValueError, match="recording 0 has the rate 44100 Hz, but 8000 Hz is expected"):
        SoundToWindows(4, rate=8000)((torch.rand(99), 44100))
    assert SoundToWindows(4, rate=8000)((torch.rand(8), 8000)).shape == (2, 4, 1)


def test_bad_windows_are_refused():
    with pytest.raises(ValueError, match=r"SoundToWindows: length is 12, but the recording has 9 steps; .* pad it"):
        SoundToWindows(12)(torch.rand(9))
    with pytest.raises(ValueError, match=r"hop must be a whole number of at least 1, got 1\.5"):
        SoundToWindows(12, hop=1.5)
    with pytest.raises(ValueError, match=r"x must be \[\.\.\., S, 12, C\], got \[3, 11, 1\]"):
        SoundToWindows(12).inverse(torch.rand(3, 11, 1))
    with pytest.raises(ValueError, match=r"8 frames take 1152 steps, but the recording has 1000; .* fewer frames"):
        SoundToLogMel(8000, frames=8)(torch.rand(1000))
    with pytest.raises(ValueError, match=r"of mels=64 filters meet no frequency of a window of 128 steps at 8000 Hz"):
        SoundToLogMel(8000, mels=64, window=128)
    with pytest.raises(ValueError, match="rate must be a number of steps a second above 0, got 0"):
        SoundToLogMel(0)


def test_a_pure_tone_has_its_power_where_it_belongs():
    """A tone of amplitude A on frequency k of a Hann window of L steps: (A L / 4)^2 at k, a quarter of it beside."""
    length, k, amplitude = 64, 10, 0.7
    step = torch.arange(4 * length, dtype=torch.float64)
    tone = amplitude * torch.cos(2 * math.pi * k * step / length + 0.3)
    mel = SoundToLogMel(8000, mels=8, window=length)
    filters = mel_filters(8000, length, 8)
    expected = (amplitude * length / 4) ** 2 * (filters[:, k] + (filters[:, k - 1] + filters[:, k + 1]) / 4)
    found = mel.spectrogram(tone).exp()
    assert torch.allclose(found, expected.unsqueeze(1).expand_as(found), atol=1e-9)


def test_silence_is_at_the_floor():
    assert torch.allclose(
        SoundToLogMel(8000, mels=8, window=64).spectrogram(torch.zeros(128)), torch.tensor(1e-10).log()
    )


def test_filters_are_triangles_on_the_mel_scale():
    rate, window, mels = 8000, 512, 10
    top = 2595 * math.log10(1 + 4000 / 700)
    corner = [700 * (10 ** (top * i / (mels + 1) / 2595) - 1) for i in range(mels + 2)]
    expected = np.array(
        [np.interp(np.arange(257) * rate / window, corner[m : m + 3], [0, 1, 0], 0, 0) for m in range(mels)]
    )
    assert np.allclose(mel_filters(rate, window, mels).numpy(), expected)


def test_the_spectrogram_against_scipy():
    sound = np.random.default_rng(0).standard_normal(3000)
    _, _, power = scipy.signal.spectrogram(
        sound, 8000, "hann", 200, 200 - 80, detrend=False, scaling="spectrum", mode="psd"
    )
    power *= scipy.signal.get_window("hann", 200).sum() ** 2
    power[1:-1] /= 2  # one-sided: the middle frequencies count twice
    expected = np.log(mel_filters(8000, 200, 12).numpy() @ power)
    mel = SoundToLogMel(8000, mels=12, window=200, hop=80)
    assert np.allclose(mel.spectrogram(torch.from_numpy(sound)).numpy(), expected, atol=1e-10)


def test_the_spectrogram_of_librosa():
    """librosa 0.11: log of melspectrogram(n_fft=256, hop_length=128, n_mels=6, htk=True, norm=None, center=False)."""
    step = np.arange(1024) / 8000
    sound = np.sin(2 * np.pi * 440 * step) + 0.5 * np.sin(2 * np.pi * 1800 * step) * np.exp(-step * 20)
    sound += 0.25 * np.cos(2 * np.pi * 3100 * step * step * 4)
    expected = [
        [7.104993, 7.251999, 7.254034, 7.254037, 7.254037, 7.254037, 7.254037],
        [8.253417, 8.485536, 8.461737, 8.461721, 8.461721, 8.461721, 8.461721],
        [2.335355, 5.589487, 4.990907, -0.103054, -5.182101, -5.181319, -5.18084],
        [5.665284, 5.094846, 5.75565, 5.743647, 4.431121, 2.465685, 1.825283],
        [6.281559, 5.641559, 5.009441, 5.416536, 6.008892, 5.508667, 4.142421],
        [-10.239886, -10.908083, -11.265569, -8.357167, 2.504688, 5.06863, 5.795024],
    ]
    mel = SoundToLogMel(8000, mels=6, window=256)
    assert np.allclose(mel.spectrogram(torch.from_numpy(sound)).numpy(), expected, atol=1e-6)


def test_pieces_of_a_spectrogram():
    sound = torch.randn(2, 3, 4000, generator=generator)
    mel = SoundToLogMel(8000, mels=10, frames=12, window=128, hop=100)
    assert mel.shape == (10, 12)
    whole = mel.spectrogram(sound)
    assert whole.shape == (2, 3, 10, 39)
    x = mel(sound)
    assert x.shape == (2, 3, 120, 3)
    assert torch.equal(x[1, 2, :, 0].view(10, 12), whole[1, 0, :, 24:36])
    assert torch.allclose(mel(sound[1, 0])[2, :, 0], x[1, 2, :, 0], atol=1e-5)
    several = mel([sound[0], (sound[1, :, :2000], 8000)])
    assert several.shape == (4, 120, 3)
    assert torch.allclose(several[:3], x[0], atol=1e-5)


def test_repr():
    assert str(SoundToWindows(4)) == "SoundToWindows(length=4, hop=4)"
    assert str(SoundToLogMel(8000)) == "SoundToLogMel(rate=8000, mels=32, frames=32)"
