from pathlib import Path

import pytest

from bec_core.errors import SettingsError
from bec_core.settings import load_settings


def test_nothing_set_means_everything_on_this_machine(tmp_path):
    settings = load_settings({"BEC_HOME": str(tmp_path)})
    assert settings.is_local
    assert settings.queue_kind == "postgres"
    assert settings.dest_location == (tmp_path / "artifacts").as_uri()


def test_the_clouds_variables():
    settings = load_settings(
        {
            "BEC_SQL_HOST": "db.example.org",
            "BEC_SQL_USER": "bec",
            "BEC_SQL_PASSWORD": "hunter2",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "BEC_DEST_S3_BUCKET": "artifacts",
        }
    )
    assert settings.queue_kind == "sqs"
    assert settings.region == "eu-west-1"
    assert settings.dest_location == "s3://artifacts"
    assert settings.sslmode == "require"
    assert settings.sql_database == "pipeline_v1"


def test_a_secret_does_not_show_itself():
    settings = load_settings(
        {"BEC_SQL_HOST": "h", "BEC_SQL_USER": "u", "BEC_SQL_PASSWORD": "hunter2", "BEC_REGION": "r"}
    )
    assert "hunter2" not in repr(settings)
    assert settings.sql_password is not None
    assert settings.sql_password.reveal() == "hunter2"


def test_everything_bad_is_named_at_once():
    with pytest.raises(SettingsError) as caught:
        load_settings({"BEC_SQL_PORT": "five", "BEC_LOG_LEVEL": "LOUD", "BEC_STRICT_PLUGINS": "perhaps"})
    for name in ("BEC_SQL_PORT", "BEC_LOG_LEVEL", "BEC_STRICT_PLUGINS"):
        assert name in str(caught.value)


def test_everything_missing_is_named_at_once():
    with pytest.raises(SettingsError) as caught:
        load_settings({"BEC_SQL_HOST": "db"})
    assert "BEC_SQL_USER" in str(caught.value)
    assert "BEC_REGION" in str(caught.value)


def test_a_bad_password_setting_does_not_show_the_password():
    with pytest.raises(SettingsError) as caught:
        load_settings({"BEC_SQL_PASSWORD": "hunter2", "BEC_SQL_PORT": "x"})
    assert "hunter2" not in str(caught.value)


def test_the_environment_wins_over_the_env_file_and_options_over_both(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text('export BEC_REGION="from-file"\nBEC_WORKER_NAME=file\n')
    settings = load_settings({"BEC_REGION": "from-environment"}, dotenv=env_file, log_level="DEBUG")
    assert (settings.region, settings.worker_name, settings.log_level) == (
        "from-environment",
        "file",
        "DEBUG",
    )
    assert load_settings({"BEC_REGION": "x"}, region="option", model_path=None).region == "option"


def test_home_is_absolute():
    assert load_settings({"BEC_HOME": "somewhere"}).home == Path.cwd() / "somewhere"
