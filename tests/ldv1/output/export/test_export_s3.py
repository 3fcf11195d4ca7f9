"""``bec ldv1 export`` from a bucket."""

import boto3
import numpy as np
from click.testing import CliRunner

from bec_ldv1.cli import ldv1
from bec_ldv1.lines import Line
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.records import PageRecord, to_parquet


def test_finished_volumes_of_a_bucket(aws, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    s3 = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    line = Line(np.array([[1, 1], [9, 1], [9, 5]], np.float32), np.array([[1, 3], [9, 3]], np.float32), 1.0)
    boxes = np.empty((0, 4), np.int32)
    page = PageRecord(
        "1.jpg", "ff", contours=[], contours_bboxes=boxes, details=PageDetails(20, 10, 0.1, (line,))
    )
    for i_id, finished in (("I0001", True), ("I0002", False)):
        folder = f"ldv1/W1/{i_id}/abcdef"
        s3.put_object(Bucket=bucket, Key=f"{folder}/W1-{i_id}-abcdef.parquet", Body=to_parquet([page]))
        if finished:
            s3.put_object(Bucket=bucket, Key=f"{folder}/success.json", Body=b"{}")
    arguments = ["export", "--format", "csv", "--out", str(tmp_path)]
    done = CliRunner().invoke(ldv1, [*arguments, f"s3://{bucket}/ldv1/W1"])
    assert done.exit_code == 0, done.output
    assert "W1-I0002-abcdef.parquet" in done.output  # named as left out
    assert [path.name for path in tmp_path.iterdir()] == ["W1-I0001-abcdef.csv"]
    missing = CliRunner().invoke(ldv1, [*arguments, f"s3://{bucket}/other"])
    assert (missing.exit_code, "there is no file or folder s3://" in missing.output) == (1, True)
