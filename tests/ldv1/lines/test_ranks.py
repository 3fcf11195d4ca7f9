import numpy as np
import pytest

from bec_ldv1.lines.ranks import median, percentile


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_medians_and_percentiles_are_numpys_to_the_last_bit(kind: type) -> None:
    random = np.random.default_rng(5)
    for size in (1, 2, 3, 4, 5, 10, 101, 400):
        values = (random.normal(0, 100, size)).astype(kind)
        assert median(values) == float(np.median(values))
        assert median(values.tolist()) == float(np.median(values.tolist()))
        for percent in (10, 25, 75, 80, 90, 100):
            exact = values.astype(np.float64)
            assert percentile(values, percent) == float(np.percentile(exact, percent))
