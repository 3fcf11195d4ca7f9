"""The archive on S3: real manifests' shapes, and etags as S3 makes them."""

from __future__ import annotations

import gzip
import hashlib
import json

import boto3
import pytest

from bec_core.archive import volume_folder
from bec_core.errors import ManifestMissing, PageError, StorageError
from bec_core.models import VolumeRef
from bec_core.storage import S3Options
from support.bad_network import Fault, FaultyProxy
from support.sources import stored_sources

REF = VolumeRef("W1KG13780", "I1KG15541")
FOLDER = volume_folder(REF.w_id, REF.i_id)
MANIFEST = gzip.compress(
    json.dumps([{"filename": "1.jpg", "width": 10}, {"filename": "dimensions.json"}]).encode()
)


@pytest.mark.parametrize("encoding", [{}, {"ContentEncoding": "gzip"}])
def test_a_volume_on_s3(bucket: str, aws: str, encoding: dict[str, str]) -> None:
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    client.put_object(Bucket=bucket, Key=f"{FOLDER}/dimensions.json", Body=MANIFEST, **encoding)
    client.put_object(Bucket=bucket, Key=f"{FOLDER}/1.jpg", Body=b"page")
    options = S3Options(region="us-east-1", endpoint_url=aws)
    sources = stored_sources(f"s3://{bucket}", "s3://none", s3=options)
    volume = sources.resolve(REF)
    assert volume.etag == hashlib.md5(MANIFEST).digest()
    assert [(p.filename, p.width) for p in volume.pages] == [("1.jpg", 10)]
    page = sources.read_page(volume, volume.pages[0])
    assert (page.data, page.etag) == (b"page", hashlib.md5(b"page").hexdigest())
    assert page.uri == f"s3://{bucket}/{FOLDER}/1.jpg"
    told = sources.page_etags(volume)
    assert told is not None
    assert told["1.jpg"] == page.etag


def test_the_part_before_the_dash_of_a_multipart_etag(bucket: str, aws: str) -> None:
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    key = f"{FOLDER}/dimensions.json"
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=MANIFEST)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    etag = client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts)[
        "ETag"
    ]
    options = S3Options(region="us-east-1", endpoint_url=aws)
    volume = stored_sources(f"s3://{bucket}", "s3://none", s3=options).resolve(REF)
    assert etag.strip('"') == f"{volume.etag.hex()}-1"


def test_a_flat_folder_on_s3(bucket: str, aws: str) -> None:
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    for name in ("v1/", "v1/b.jpg", "v1/a.png", "v1/sub/c.jpg", "v10/d.jpg"):
        client.put_object(Bucket=bucket, Key=f"ocr_benchmark/images/W1/I1/{name}", Body=b"x")
    options = S3Options(region="us-east-1", endpoint_url=aws)
    sources = stored_sources("s3://none", f"s3://{bucket}", s3=options)
    volume = sources.resolve(VolumeRef("W1", "I1", "ocr_benchmark", "v1"))
    assert [p.filename for p in volume.pages] == ["a.png", "b.jpg"]


def test_a_busy_archive_is_no_missing_manifest(bucket: str, impatient: S3Options, proxy: FaultyProxy) -> None:
    sources = stored_sources(f"s3://{bucket}", "s3://none", s3=impatient)
    with pytest.raises(ManifestMissing):
        sources.resolve(REF)
    for kind in ("status", "drop"):
        proxy.heal()
        proxy.fail(Fault(kind), times=1000)  # type: ignore[arg-type]
        with pytest.raises(StorageError):
            sources.resolve(REF)


def test_a_page_that_never_arrives_whole_is_a_retryable_page_error(
    bucket: str, impatient: S3Options, proxy: FaultyProxy, aws: str
) -> None:
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    client.put_object(Bucket=bucket, Key=f"{FOLDER}/dimensions.json", Body=MANIFEST)
    client.put_object(Bucket=bucket, Key=f"{FOLDER}/1.jpg", Body=b"page" * 1000)
    sources = stored_sources(f"s3://{bucket}", "s3://none", s3=impatient)
    volume = sources.resolve(REF)
    proxy.fail(Fault("truncate"), path="1.jpg", times=1000)
    with pytest.raises(PageError) as caught:
        sources.read_page(volume, volume.pages[0])
    assert (caught.value.stage, caught.value.retryable) == ("fetch", True)
