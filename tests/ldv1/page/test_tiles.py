import numpy as np
import pytest

from bec_ldv1.page.tiles import cut, grid, join


def naive_cut(plane: np.ndarray) -> np.ndarray:
    tiles = []
    for top in range(0, plane.shape[0], 512):
        for left in range(0, plane.shape[1], 512):
            tile = np.full((512, 512), 255, np.uint8)
            part = plane[top : top + 512, left : left + 512]
            tile[: part.shape[0], : part.shape[1]] = part
            tiles.append(tile)
    return np.stack(tiles)


@pytest.mark.parametrize("shape", [(512, 1706), (512, 512), (1, 1), (1024, 791), (700, 1030), (204, 4096)])
def test_cut_and_join(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(5).integers(0, 255, shape, dtype=np.uint8)
    tiles = cut(plane)
    np.testing.assert_array_equal(tiles, naive_cut(plane))
    assert len(tiles) == np.prod(grid(*shape))
    np.testing.assert_array_equal(join(tiles, *shape), plane)
    np.testing.assert_array_equal(join(tiles.astype(np.float32), *shape), plane.astype(np.float32))


def test_join_refuses_the_wrong_number_of_tiles() -> None:
    with pytest.raises(ValueError, match="4 tiles"):
        join(np.zeros((3, 512, 512), np.uint8), 700, 700)
