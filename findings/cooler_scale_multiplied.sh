#!/usr/bin/env bash
# hic2cool copies the normalisation vectors of a .hic file into a .cool file as they are, to divide by, under any name.
# cooler divides by KR, VC and VC_SQRT and multiplies by all others: the SCALE vector of newer .hic files is applied the
# wrong way round, so that biases are squared instead of removed. hictkpy divides by it, in the same .cool file too.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check hic2cool==0.8.3 cooler==0.11.0 hictkpy==1.4.0 \
    numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'E'
import inspect
import struct
import zlib
from importlib.metadata import version
from pathlib import Path

import cooler
import hictkpy
import numpy as np
from hic2cool import hic2cool_convert

print(*(f"{name} {version(name)}" for name in ("hic2cool", "cooler", "hictkpy", "numpy")))
source = inspect.getsource(inspect.getmodule(cooler.Cooler)).splitlines()
place = next(i for i, line in enumerate(source) if line.startswith("_4DN"))
print("in cooler's source:", source[place - 1], source[place])
doc = cooler.Cooler.matrix.__doc__
print("documented:", " ".join(doc[doc.index("Force balancing"):doc.index("Returns")].split()))

# Contacts of forty bins that fall off with the distance; some bins are seen up to four times as well as others.
size, width = 40, 1000
rng = np.random.default_rng(0)
seen = rng.uniform(0.5, 2, size)
apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
upper = np.triu(rng.poisson(300 / (1 + apart) * np.outer(seen, seen)))
counts = upper + np.triu(upper, 1).T
balanced = counts / np.outer(seen, seen)


def text(word):
    return word.encode() + b"\0"


def whole(*numbers):
    return struct.pack(f"<{len(numbers)}i", *numbers)


def write_hic(path, name):
    """A .hic file, version 8: header, one matrix of one block, one normalisation vector, footer."""
    row, column = np.nonzero(upper)
    records = [whole(len(row), 0, 0), struct.pack("<bbh", 0, 1, size)]
    for y in range(size):
        inside = row[column == y]
        cells = np.stack([inside, upper[inside, y]], axis=1).astype("<i2")
        records += [struct.pack("<hh", y, len(inside)), cells.tobytes()]
    block = zlib.compress(b"".join(records))
    vector = whole(size) + seen.astype("<f8").tobytes()
    expected = text("BP") + whole(width, size) + np.diagonal(counts).mean().repeat(size).astype("<f8").tobytes()
    expected += whole(1, 1) + struct.pack("<d", 1.0)
    after = text("demo") + whole(0, 2) + text("All") + whole(size * width // 1000) + text("chr1")
    after += whole(size * width, 1, width, 0)
    matrix = whole(1, 1, 1) + text("BP") + whole(0) + struct.pack("<4f", upper.sum(), 0, 0, 0)
    matrix += whole(width, size, 1, 1)
    matrix_at = len(text("HIC")) + 12 + len(after)
    block_at = matrix_at + len(matrix) + 16
    matrix += whole(0) + struct.pack("<qi", block_at, len(block))
    vector_at = block_at + len(block)
    footer = whole(1) + text("1_1") + struct.pack("<qi", matrix_at, len(matrix)) + whole(1) + expected
    footer = whole(len(footer)) + footer + whole(1) + text(name) + expected + whole(1) + text(name) + whole(1)
    footer += text("BP") + whole(width) + struct.pack("<qi", vector_at, len(vector))
    head = text("HIC") + whole(8) + struct.pack("<q", vector_at + len(vector))
    Path(path).write_bytes(head + after + matrix + block + vector + footer)


def by_hictk(path, name):
    return hictkpy.File(path, width).fetch("chr1", normalization=name).to_numpy("full")


for name in ("KR", "VC", "VC_SQRT", "SCALE", "GW_SCALE", "INTER_SCALE", "GW_KR"):
    write_hic("made.hic", name)
    assert np.array_equal(by_hictk("made.hic", "NONE"), counts) and np.allclose(by_hictk("made.hic", name), balanced)
    Path("made.cool").unlink(missing_ok=True)
    hic2cool_convert("made.hic", "made.cool", resolution=width, silent=True)
    cool = cooler.Cooler("made.cool")
    read = cool.matrix(balance=name)[:]
    sums = np.corrcoef(read.sum(axis=0), seen)[0, 1]
    print(f"{name}: hictkpy of the .cool as of the .hic {np.allclose(by_hictk('made.cool', name), balanced)}, cooler"
          f" {np.allclose(read, balanced)}; row sums follow the bias with r = {sums:.2f}")
    assert np.array_equal(cool.matrix(balance=False)[:], counts)
    assert np.allclose(by_hictk("made.cool", name), balanced)
    if name in ("KR", "VC", "VC_SQRT"):
        assert np.allclose(read, balanced), "the behaviour changed"
    else:
        assert np.allclose(read, counts * np.outer(seen, seen), rtol=1e-5), "the behaviour changed"
        # Remedy: say that the vector is to divide by.
        assert np.allclose(cool.matrix(balance=name, divisive_weights=True)[:], balanced)
print("remedy, divisive_weights=True: as in the .hic file")
E
