import pytest
import torch

from scge_pyg.graph import Lattice


@pytest.fixture
def lattice():
    """Four of five nodes on a 2x3 grid, in no order."""
    return Lattice(torch.tensor([[1, 2], [0, 0], [-1, -1], [0, 2], [1, 0]]), (2, 3))


def test_cells_and_coordinates(lattice):
    assert lattice.dim == 2
    assert lattice.placed.tolist() == [True, True, False, True, True]
    assert lattice.flat_index.tolist() == [5, 0, 2, 3]
    assert torch.equal(lattice.pos[lattice.placed], lattice.cell[lattice.placed].float())
    assert lattice.pos[2].isnan().all()
    moved = Lattice(lattice.cell, (2, 3), origin=(0.5, -1), stride=(2, 3))
    assert moved.pos[0].tolist() == [2.5, 5.0]


def test_to_grid_puts_every_node_in_its_cell(lattice):
    x = torch.rand(4, 5, 3)
    grid = lattice.to_grid(x, fill=-1.0)
    assert grid.shape == (4, 3, 2, 3)
    for node in (0, 1, 3, 4):
        row, col = lattice.cell[node]
        assert torch.equal(grid[:, :, row, col], x[:, node])
    assert (grid[:, :, 0, 1] == -1).all()
    assert (grid[:, :, 1, 1] == -1).all()
    assert torch.equal(lattice.to_grid(x[0]), lattice.to_grid(x)[0])


@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 2, 3)])
def test_from_grid_inverts_to_grid(shape):
    cells = torch.cartesian_prod(*map(torch.arange, shape)).view(-1, len(shape))
    generator = torch.Generator().manual_seed(0)
    cells = cells[torch.randperm(cells.shape[0], generator=generator)]
    lattice = Lattice(cells, shape)
    x = torch.rand(3, cells.shape[0], 2)
    assert torch.equal(lattice.from_grid(lattice.to_grid(x)), x)
    assert torch.equal(lattice.from_grid(lattice.to_grid(x[1])), x[1])
    cells[1] = -1
    holed = Lattice(cells, shape).from_grid(Lattice(cells, shape).to_grid(x), fill=9.0)
    x[:, 1] = 9.0
    assert torch.equal(holed, x)


def test_gradients_reach_the_placed_nodes(lattice):
    x = torch.rand(2, 5, 1, requires_grad=True)
    lattice.from_grid(lattice.to_grid(x).square()).sum().backward()
    assert torch.equal(x.grad[:, lattice.placed], 2 * x[:, lattice.placed])
    assert not x.grad[:, ~lattice.placed].any()


def test_repr_and_to(lattice):
    assert str(lattice) == "Lattice(2x3, placed=4/5)"
    assert str(Lattice(torch.tensor([[0, 1]]), (2, 3), (False, True))) == "Lattice(2x3 (periodic), placed=1/1)"
    same = lattice.to("cpu")
    assert torch.equal(same.cell, lattice.cell)
    assert (same.shape, same.periodic) == (lattice.shape, lattice.periodic)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ([[0.0, 1.0]], {}, r"integer tensor \[N, 2\]"),
        ([[0, 1, 2]], {}, r"integer tensor \[N, 2\]"),
        ([[0, 1], [2, 0]], {}, r"1 cells lie outside shape=\(2, 3\), the first is node 1"),
        ([[-1, 0]], {}, "lie outside"),
        ([[0, 1], [0, 1]], {}, "share one cell"),
        ([[0, 1]], {"periodic": (True,)}, "must have 2 entries"),
        ([[0, 1]], {"origin": (0.0, 0.0, 0.0)}, "must have 2 entries"),
        ([[0, 1]], {"stride": (1.0,)}, "must have 2 entries"),
    ],
)
def test_bad_cells_are_refused(cell, options, message):
    with pytest.raises(ValueError, match=message):
        Lattice(torch.tensor(cell), (2, 3), **options)


def test_bad_samples_are_refused(lattice):
    with pytest.raises(ValueError, match=r"x must be \[S, 5, C\], got \[2, 4, 1\]"):
        lattice.to_grid(torch.rand(2, 4, 1))
    with pytest.raises(ValueError, match=r"y must be \[S, C, 2, 3\], got \[2, 1, 3, 2\]"):
        lattice.from_grid(torch.rand(2, 1, 3, 2))
