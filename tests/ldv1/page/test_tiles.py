import numpy as np
import pytest

from bec_ldv1.page.tiles import cut, join


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
    for again in (tiles, cut(plane, 32), cut(plane, 1)):
        np.testing.assert_array_equal(join(again, *shape), plane)
        floats = join([tile.astype(np.float32) for tile in again], *shape)
        np.testing.assert_array_equal(floats, plane.astype(np.float32))


@pytest.mark.parametrize(
    ("shape", "last"),
    [((512, 1706), (512, 192)), ((1, 1), (32, 32)), ((1024, 791), (512, 288)), ((700, 512), (192, 512))],
)
def test_the_last_tiles_hold_no_more_than_they_must(shape: tuple[int, int], last: tuple[int, int]) -> None:
    tile = cut(np.zeros(shape, np.uint8), 32)[-1]
    assert tile.shape == last
    height, width = ((size - 1) % 512 + 1 for size in shape)
    assert (tile[:height, :width] == 0).all()
    assert (tile[height:] == 255).all()
    assert (tile[:, width:] == 255).all()


def test_join_refuses_the_wrong_number_of_tiles() -> None:
    with pytest.raises(ValueError, match="4 tiles"):
        join([np.zeros((512, 512), np.uint8)] * 3, 700, 700)


@pytest.mark.parametrize("shape", [(188, 187), (512,), (1, 512, 512)])
def test_join_refuses_a_tile_that_is_too_small(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="can't hold"):
        join([*[np.zeros((512, 512), np.uint8)] * 3, np.zeros(shape, np.uint8)], 700, 700)
