import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.numbers import as_floating


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (torch.tensor([1, 2]), torch.float32),
        (torch.tensor([True, False]), torch.float32),
        (torch.tensor([1, 2], dtype=torch.uint16), torch.float32),
        (torch.tensor([1.5, 2], dtype=torch.bfloat16), torch.float32),
        (torch.tensor([1.5, 2], dtype=torch.float64), torch.float64),
        (torch.tensor([2**24 + 1, -(2**40)]), torch.float64),
        (torch.tensor([2**31, 1], dtype=torch.uint32), torch.float64),
        (np.array([1.5, 2], dtype=">f4"), torch.float32),
        (np.array([1.5, 2], dtype=">f8"), torch.float64),
        (np.array([1.5, 2], dtype=np.float16), torch.float32),
        (np.array([1.5, 2], dtype=np.longdouble), torch.float64),
        (np.array([1.0, 1e307]), torch.float64),
        (np.arange(6, dtype=np.int16)[::-2], torch.float32),
    ],
)
def test_values_are_kept_exactly(values, dtype):
    found = as_floating(values)
    assert found.dtype == dtype
    assert found.tolist() == [float(value) for value in values.tolist()]


def test_read_only_arrays_are_copied_without_a_word():
    values = np.ones(3, dtype=np.float32)
    values.flags.writeable = False
    found = as_floating(values)
    found[0] = 5
    assert values.tolist() == [1, 1, 1]


@pytest.mark.parametrize("values", [torch.tensor([0, 3]), np.array([0.0, 3.0]), torch.tensor([False, True]) * 3])
def test_missing_value_is_compared_exactly(values):
    assert as_floating(values, 0)[0].isnan()
    assert as_floating(values, 0)[1] == 3
    assert not as_floating(values, 1e-30).isnan().any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_missing_value_has_the_precision_of_the_data(dtype):
    assert as_floating(torch.tensor([-999.9, 1.0], dtype=dtype), -999.9).isnan().tolist() == [True, False]


def test_missing_value_may_be_a_large_integer_or_infinite():
    assert as_floating(torch.tensor([-(2**63), 7]), -(2.0**63)).isnan().tolist() == [True, False]
    assert as_floating(torch.tensor([torch.inf, 7]), float("inf")).isnan().tolist() == [True, False]


def test_masked_values_are_missing_whatever_lies_behind():
    values = np.ma.masked_array([[1, 9], [3, 4]], mask=[[False, True], [False, False]])
    assert as_floating(values).isnan().tolist() == [[False, True], [False, False]]
    assert as_floating(np.ma.masked_array([1.0, np.inf], mask=[False, True])).isinf().sum() == 0


@pytest.mark.parametrize("values", [torch.zeros(2, dtype=torch.complex64), np.zeros(2, dtype=np.clongdouble)])
def test_complex(values):
    with pytest.raises(TypeError, match="real and imaginary part as two channels"):
        as_floating(values)


@pytest.mark.parametrize("values", [np.array(["a"]), np.array([None]), np.array(["2020"], dtype="M8[D]")])
def test_no_numbers(values):
    with pytest.raises(TypeError, match=r"must be numeric, got dtype .* x\.astype\(float\)"):
        as_floating(values)
