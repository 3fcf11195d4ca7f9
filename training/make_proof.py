"""Make the tile by which a start is proved (`bec_ldv1/network/proof.py`), of a rendered page.

python training/render_pages.py --pages 150 --seed 2300000000 --out rendered
python training/make_proof.py rendered/PAGE.png packages/bec-ldv1/src/bec_ldv1/network/weights/proof.npz
"""

import argparse
from pathlib import Path

import numpy as np

from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.line_model import Precision
from bec_ldv1.network.proof import by_cells
from bec_ldv1.page.decode import decode
from bec_ldv1.page.prepare import prepare
from bec_ldv1.page.tiles import cut


def main() -> None:
    """Take the page's first tile, let the model in the box look at it, write both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    model = load_model(precision=Precision.FLOAT32)
    tile = cut(prepare(decode(options.page.read_bytes()), model.preparation).ink)[0]
    cells = by_cells(model.probabilities(tile[None])[0])
    np.savez_compressed(
        options.out, ink=np.packbits(tile > 127), cells=cells.astype(np.float16), model=np.array(model.sha256)
    )
    print(f"{cells.size} cells, {100 * (cells > model.postprocess.threshold).mean():.0f} % of them line")


if __name__ == "__main__":
    main()
