"""AnnData, dense and sparse, against its own indexing (`make test-extras`)."""

import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.io import read

anndata = pytest.importorskip("anndata")
RNG = np.random.default_rng(0)


@pytest.fixture(params=["dense", "csr", "csc"])
def adata(request):
    counts = RNG.poisson(0.7, (9, 5)).astype("float32")
    matrix = {"dense": np.asarray, "csr": sp.csr_matrix, "csc": sp.csc_matrix}[request.param](counts)
    found = anndata.AnnData(matrix)
    found.obs_names = [f"bead {k}" for k in range(9)]
    found.var_names = [f"gene {k}" for k in range(5)]
    found.obsm["spatial"] = RNG.uniform(size=(9, 2))
    found.layers["raw"] = matrix * 2
    return found


def test_nodes_are_variables_or_cells(adata):
    dense = adata.to_df()
    genes, beads = read(adata), read(adata, nodes="obs")
    assert genes.names == tuple(dense.columns)
    np.testing.assert_array_equal(genes.rows(0, 9), dense.to_numpy())
    np.testing.assert_array_equal(genes.rows(3, 5), dense.to_numpy()[3:5])
    assert beads.names == tuple(dense.index)
    np.testing.assert_array_equal(beads.rows(1, 4), dense.to_numpy().T[1:4])
    np.testing.assert_array_equal(read(adata, layer="raw").rows(0, 9), 2 * dense.to_numpy())
    np.testing.assert_array_equal(beads.layout.positions, adata.obsm["spatial"])
    assert genes.layout is None


def test_files_hold_the_same(adata, tmp_path):
    adata.write_h5ad(tmp_path / "a.h5ad")
    signals = read(tmp_path / "a.h5ad", nodes="obs")
    np.testing.assert_array_equal(signals.rows(0, 5), adata.to_df().to_numpy().T)
    assert signals.names == tuple(adata.obs_names)
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    for nodes, values in (("var", adata.to_df().to_numpy()), ("obs", adata.to_df().to_numpy().T)):
        np.testing.assert_array_equal(np.asarray(read(backed, nodes=nodes)), values)
    np.testing.assert_array_equal(np.asarray(read(backed[:, 1:3])), adata.to_df().to_numpy()[:, 1:3])
    backed.file.close()


def test_what_does_not_fit_is_told(adata, tmp_path):
    with pytest.raises(ValueError, match="nodes must be 'obs' or 'var', got 'genes'"):
        read(adata, nodes="genes")
    with pytest.raises(ValueError, match="there is no layer='log'; there are 'raw'"):
        read(adata, layer="log")
    with pytest.raises(ValueError, match="this AnnData has no X"):
        read(anndata.AnnData(obs=adata.obs))
    adata.var_names = ["gene"] * 5
    with pytest.raises(ValueError, match=r"var_names repeat; call var_names_make_unique\(\) first"):
        read(adata)
    (tmp_path / "b.h5ad").write_bytes(b"text")
    with pytest.raises(ValueError, match="can't be read as an AnnData"):
        read(tmp_path / "b.h5ad")
