"""The probe of a store: what can't hold results safely is said before any volume is computed."""

import pytest

from bec_core.artifacts import StoreUnfit, probe
from bec_core.errors import ObjectNotFound, StorageError, StorageRefused
from bec_core.storage import S3Options, open_store
from support.bad_network import Fault

KEY = ".bec/probe/worker 1/../x"


class Without:
    """A store that lacks something: ``ignored`` conditions, or a method that is refused."""

    def __init__(self, real, *, ignores=(), refuses=()):
        self._real, self._ignores, self._refuses = real, ignores, refuses

    def __getattr__(self, name):
        if name in self._refuses:
            return self._refuse
        return getattr(self._real, name)

    def _refuse(self, *args, **kwargs):
        raise StorageRefused("403 AccessDenied")

    def put_new(self, key, data):
        return self.swap(key, data, if_etag=None)

    def swap(self, key, data, *, if_etag):
        if "swap" in self._refuses:
            self._refuse()
        if ("create" in self._ignores and if_etag is None) or ("match" in self._ignores and if_etag):
            return self._real.put(key, data)
        return self._real.swap(key, data, if_etag=if_etag)


@pytest.fixture(params=["file", "s3"])
def store(request, tmp_path):
    if request.param == "file":
        return open_store(tmp_path.as_uri())
    url, bucket = request.getfixturevalue("aws"), request.getfixturevalue("bucket")
    return open_store(f"s3://{bucket}/out", s3=S3Options(region="us-east-1", endpoint_url=url))


def test_a_good_store_passes_and_nothing_stays(store):
    assert probe(store, key=KEY) == ()
    assert store.list() == []


def test_what_an_earlier_probe_left_is_used_again(store):
    assert probe(Without(store, refuses=("delete",)), key=KEY) != ()
    assert len(store.list()) == 1
    assert probe(store, key=KEY) == ()
    assert store.list() == []


def test_a_refused_delete_is_a_warning_only(store):
    (warning,) = probe(Without(store, refuses=("delete",)), key=KEY)
    assert "can't be deleted" in warning


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ({"ignores": ("create",)}, "ignores If-None-Match"),
        ({"ignores": ("match",)}, "ignores If-Match"),
        ({"refuses": ("swap",)}, "can't be written.*PutObject"),
        ({"refuses": ("get",)}, "can't be read.*GetObject"),
    ],
)
def test_a_store_that_is_unfit_is_refused_in_words(store, lacks, said):
    with pytest.raises(StoreUnfit, match=said):
        probe(Without(store, **lacks), key=KEY)


def test_a_missing_bucket_is_named(aws):
    store = open_store("s3://no-such-bucket-here", s3=S3Options(region="us-east-1", endpoint_url=aws))
    with pytest.raises(StoreUnfit, match=r"no-such-bucket-here.*can't be written"):
        probe(store, key=KEY)


def test_a_read_only_bucket_is_named(bucket, proxy, impatient):
    store = open_store(f"s3://{bucket}", s3=impatient)
    proxy.fail(Fault("status", status=403, code="AccessDenied"), method="PUT", times=99)
    with pytest.raises(StoreUnfit, match="PutObject"):
        probe(store, key=KEY)


def test_the_probe_lies_outside_every_jobs_folder(store):
    probe(Without(store, refuses=("delete",)), key=KEY)
    (left,) = store.list()
    assert left.key.startswith(".bec/probe/")
    with pytest.raises(ObjectNotFound):
        store.get("x")


def test_trouble_that_may_pass_is_no_verdict(bucket, proxy, impatient):
    """A worker that starts in a bad minute is started again, not told that its settings are wrong."""
    store = open_store(f"s3://{bucket}", s3=impatient)
    proxy.fail(Fault("status", status=503, code="SlowDown"), times=99)
    with pytest.raises(StorageError) as met:
        probe(store, key=KEY)
    assert not isinstance(met.value, StorageRefused)


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")]
)
def test_a_bucket_of_another_region_is_named(bucket, proxy, impatient, status, code):
    store = open_store(f"s3://{bucket}", s3=impatient)
    proxy.fail(Fault("status", status=status, code=code), method="PUT", times=99)
    with pytest.raises(StoreUnfit, match="in this region"):
        probe(store, key=KEY)
