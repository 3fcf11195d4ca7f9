"""The operator's price file: what it may hold, and every way in which it can be broken."""

import pytest

from bec_core.admin.planning.prices import read_prices
from bec_core.errors import SettingsError
from support.places import ROOT

GOOD = 'currency = "XTS"\n[instances."a"]\ncores = 2\nhourly = 0.5\n'


def test_the_example_is_good_and_obviously_invented():
    prices = read_prices(ROOT / "deploy" / "prices.example.toml")
    assert prices.currency == "XTS"
    assert {one.name.partition(".")[0] for one in prices.instances} == {"example"}
    gpu = next(one for one in prices.instances if one.gpus)
    assert gpu.pages_per_s["ldv1"] == 40.0
    assert None not in (prices.gib_month, prices.requests.get, prices.requests.put, prices.requests.sqs)


def test_what_may_be_left_out(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(GOOD)
    prices = read_prices(path)
    (one,) = prices.instances
    assert (one.gpus, one.workers, one.spot_hourly, dict(one.pages_per_s)) == (0, 1, None, {})
    assert prices.gib_month is None
    assert prices.requests.get is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency = ", "is not TOML"),
        ("", "currency is missing.*no instance"),
        (GOOD.replace("cores = 2", ""), "instances.a.cores is missing"),
        (GOOD.replace("hourly = 0.5", ""), "instances.a.hourly is missing"),
        (GOOD.replace("0.5", "-1"), "hourly is -1, not a number from 0"),
        (GOOD.replace("0.5", "nan"), "hourly is nan"),
        (GOOD.replace("0.5", '"0.5"'), "hourly is '0.5'"),
        (GOOD.replace("cores = 2", "cores = true"), "cores is True, not a whole number from 1"),
        (GOOD + "sport_hourly = 1\n", "instances.a.sport_hourly is unknown .known: cores"),
        (GOOD + "pages_per_s = { ldv1 = 0 }\n", "pages_per_s.ldv1 is 0, not a number above 0"),
        (GOOD + "pages_per_s = 4\n", "pages_per_s is no table"),
        (GOOD + "[requests]\nhead = 1\n", "requests.head is unknown"),
        (GOOD + "[storage]\ngib_month = [1]\n", "storage.gib_month is"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, text, said):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        read_prices(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        read_prices(tmp_path / "none.toml")
