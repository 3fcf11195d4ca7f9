import os
from pathlib import Path
from typing import Literal

import attrs
import pytest
from attrs import frozen

from bec_core import JobType, Secret, between, option
from bec_core.errors import SettingsError
from bec_core.settings import PluginVariables, load_settings, plugin_settings


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
    settings = load_settings({"BEC_REGION": "from-environment"}, env_file=env_file, log_level="DEBUG")
    assert (settings.region, settings.worker_name, settings.log_level) == (
        "from-environment",
        "file",
        "DEBUG",
    )
    assert load_settings({"BEC_REGION": "x"}, region="option", log_file=None).region == "option"


def test_home_is_absolute():
    assert load_settings({"BEC_HOME": "somewhere"}).home == Path.cwd() / "somewhere"


# -- files of settings -------------------------------------------------------------------------------------


@pytest.fixture
def found(tmp_path):
    """A ``.env`` that lies in the current folder, as only its owner can write it; and what is said of it."""
    tmp_path.chmod(0o755)
    said = []

    def read(text, environ=None, **more):
        path = tmp_path / ".env"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o644)
        return load_settings(environ or {}, found=path, say=said.append, **more)

    read.said = said
    read.path = tmp_path / ".env"
    return read


GUIDES = """BEC_SQL_HOST=db
BEC_SQL_USER=u
BEC_SQL_PASSWORD="secret # one"
BEC_REGION=us-east-1
export BEC_DEST_S3_BUCKET=artifacts
BEC_LD_MODEL_PATH=/m.pth
"""


def test_a_file_that_is_found_sets_the_guides_names_and_one_line_says_which_file(found):
    settings = found(GUIDES, of_plugins=lambda: PluginVariables(frozenset({"BEC_LD_MODEL_PATH"})))
    assert settings.environment["BEC_LD_MODEL_PATH"] == "/m.pth"
    assert (settings.sql_host, settings.region, settings.dest_s3_bucket) == ("db", "us-east-1", "artifacts")
    assert settings.sql_password.reveal() == "secret # one"
    assert found.said == [f"settings from {found.path}"]


@pytest.mark.parametrize(
    "name",
    ["BEC_HOME", "BEC_SOURCE_URL", "BEC_DEST_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "BEC_LOG_FILE",
     "BEC_ENV_FILE", "BEC_STRICT_PLUGINS", "BEC_QUEUE", "PATH"],
)  # fmt: skip
def test_a_file_that_is_found_sets_nothing_else_and_each_ignored_name_is_said(found, name):
    settings = found(f"BEC_REGION=here\n{name}=/tmp/planted\n")
    assert settings.region == "here"
    assert "/tmp/planted" not in repr(settings)
    assert f"ignored {name}:" in found.said[1]


@pytest.mark.parametrize(
    "loose", ["file group", "file world", "folder group", "folder world", "owner", "link"]
)
def test_a_file_that_others_could_have_written_is_not_read(found, loose, tmp_path):
    path = found.path
    path.write_text("BEC_REGION=theirs\n")
    path.chmod(0o644)
    target = path if loose.startswith("file") else tmp_path
    if loose == "owner":
        if os.geteuid():
            pytest.skip("only root can give a file away")
        os.chown(path, 12345, -1)
    elif loose == "link":
        path.rename(tmp_path / "other")
        path.symlink_to(tmp_path / "other")
    else:
        target.chmod(target.stat().st_mode | (0o020 if loose.endswith("group") else 0o002))
    said = []
    assert load_settings({}, found=path, say=said.append).region is None
    assert "not read" in said[0]
    assert "--env-file" in said[0]
    assert load_settings({}, env_file=path).region == "theirs"


def test_a_found_files_host_never_gets_the_environments_password(found):
    with pytest.raises(SettingsError, match="a password is not sent to a host") as caught:
        found("BEC_SQL_HOST=evil\nBEC_SQL_USER=u\nBEC_REGION=r\n", {"BEC_SQL_PASSWORD": "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SettingsError, match="password is not sent"):  # its own password does not help it
        found(
            "BEC_SQL_HOST=evil\nBEC_SQL_USER=u\nBEC_SQL_PASSWORD=x\nBEC_REGION=r\n", {"BEC_SQL_PASSWORD": "y"}
        )
    assert load_settings({"BEC_SQL_PASSWORD": "p"}, env_file=found.path).sql_host == "evil"


@pytest.mark.parametrize("password", ["BEC_SQL_PASSWORD", "PGPASSWORD"])
@pytest.mark.parametrize("line", ["BEC_SQL_HOST=evil", "BEC_SQL_PORT=6666", "BEC_SQL_SSLMODE=disable"])
def test_a_found_file_decides_nothing_about_the_way_of_the_environments_password(found, line, password):
    name = line.partition("=")[0]
    environ = {"BEC_SQL_HOST": "db", "BEC_SQL_USER": "u", "BEC_QUEUE": "postgres", password: "hunter2"}
    environ = {key: value for key, value in environ.items() if key != name}
    with pytest.raises(SettingsError, match=f"{name} from .*{password} from the environment") as caught:
        found(f"{line}\n", environ)
    assert "hunter2" not in str(caught.value)


def test_a_found_files_own_password_goes_to_its_own_host_whatever_postgresqls_library_would_read(found):
    settings = found(
        "BEC_SQL_HOST=db\nBEC_SQL_USER=u\nBEC_SQL_PASSWORD=own\nBEC_REGION=r\n", {"PGPASSWORD": "x"}
    )
    assert settings.sql_password.reveal() == "own"


def test_a_named_file_may_set_everything(tmp_path):
    path = tmp_path / "my.env"
    path.write_text("BEC_HOME=/h\nBEC_SOURCE_URL=file:///a\nAWS_ENDPOINT_URL=http://x\n")
    settings = load_settings({}, env_file=path)
    assert (str(settings.home), settings.source_url, settings.endpoint_url) == ("/h", "file:///a", "http://x")


def test_nothing_is_expanded(found):
    assert found("BEC_REGION=${PATH}$HOME\n").region == "${PATH}$HOME"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("BEC_REGION=r\n".encode("utf-16"), "UTF-16"),
        (b"\xef\xbb\xbfBEC_REGION=r\n", "byte order mark"),
        (b"BEC_REGION=r\nBEC_SQL_USER=caf\xe9\n", "line 2: not UTF-8"),
        ("BEC_REGION=r\n".encode("utf-16-le"), "UTF-16"),
    ],
)
def test_another_encoding_is_said(found, data, words):
    with pytest.raises(SettingsError, match=words):
        found(data)


def test_broken_lines_are_named_by_number_and_not_shown(found):
    with pytest.raises(SettingsError, match=r"lines 3, 5: write NAME=value") as caught:
        found("# first\n\nBEC_REGION hunter2\nBEC_SQL_PORT=5\nBEC_SQL_USER\n")
    assert "hunter2" not in str(caught.value)


def test_unknown_names_are_said_with_what_may_be_meant(found):
    found("BEC_SQL_HSOT=x\n", {"BEC_LOG_LEVLE": "DEBUG", "BEC_JOB": "ldv1", "BEC_WORKER_ARGS": ""})
    assert any("BEC_SQL_HSOT; is BEC_SQL_HOST meant?" in line for line in found.said)
    assert any("BEC_LOG_LEVLE; is BEC_LOG_LEVEL meant?" in line for line in found.said)
    assert not any("BEC_JOB" in line or "BEC_WORKER_ARGS" in line for line in found.said)


def test_an_empty_home_gets_a_sentence(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with pytest.raises(SettingsError, match="HOME is empty"):
        load_settings({})


def test_an_empty_home_hinders_nobody_who_needs_none(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert load_settings({"BEC_HOME": "/bec"}).home == Path("/bec")
    assert load_settings({"BEC_SQL_HOST": "h", "BEC_SQL_USER": "u", "BEC_QUEUE": "postgres"}).sql_host == "h"


def test_a_home_of_nobody_known_is_named():
    with pytest.raises(SettingsError, match="BEC_HOME='~nosuchuser/x'"):
        load_settings({"BEC_HOME": "~nosuchuser/x"})


# -- settings of plugins ------------------------------------------------------------------------------------


@frozen
class Own:
    """A plugin's own settings."""

    key: Secret = option(attrs.NOTHING, "The service's key.")
    url: str = option("https://example.org", "Where it is.")
    share: float = option(0.5, "How much.", **between(0, 1))
    fast: bool = option(False, "Whether it hurries.")
    folder: Path | None = option(None, "Where things lie.")
    kind: Literal["a", "b"] = option("a", "Which.")


OWN = JobType("my-job", Own, "none:none", "1", "x", settings=Own)


def test_a_plugins_own_settings_are_read_by_their_types():
    environment = {
        "BEC_MY_JOB_KEY": "k", "BEC_MY_JOB_SHARE": "0.25", "BEC_MY_JOB_FAST": "yes", "BEC_MY_JOB_FOLDER": "~/x",
        "BEC_MY_JOB_URL": "",
    }  # fmt: skip
    settings = plugin_settings(environment, OWN)
    assert settings.key.reveal() == "k"
    assert "k" not in repr(settings).replace("key", "").replace("kind", "")
    assert (settings.share, settings.fast, settings.url) == (0.25, True, "https://example.org")
    assert settings.folder == Path("~/x").expanduser()


def test_everything_wrong_with_a_plugins_settings_is_said_at_once_and_no_secret():
    environment = {
        "BEC_MY_JOB_SHARE": "2", "BEC_MY_JOB_FAST": "perhaps", "BEC_MY_JOB_KIND": "c",
    }  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        plugin_settings(environment, OWN)
    said = str(caught.value)
    for part in (
        "settings of my-job: BEC_MY_JOB_KEY is not set: The service's key.",
        "BEC_MY_JOB_SHARE='2': 'share' must be <= 1",
        "(allowed: 0 to 1)",
        "BEC_MY_JOB_FAST='perhaps'",
        "BEC_MY_JOB_KIND='c'",
    ):
        assert part in said


def test_a_job_type_without_settings_has_none():
    assert plugin_settings({}, JobType("x", Own, "none:none", "1", "x")) is None


def test_names_of_plugins_are_known_and_asked_for_only_when_needed():
    said, asked = [], []

    def of_plugins():
        asked.append(1)
        return PluginVariables(settings=frozenset({"BEC_MY_JOB_KEY"}))

    load_settings({"BEC_REGION": "x"}, say=said.append, of_plugins=of_plugins)
    assert asked == []
    load_settings({"BEC_MY_JOB_KEY": "k", "BEC_MY_JOB_KEI": "k"}, say=said.append, of_plugins=of_plugins)
    assert asked == [1]
    assert said == ["BEC knows no setting BEC_MY_JOB_KEI; is BEC_MY_JOB_KEY meant?"]


def test_a_file_that_is_found_sets_no_plugins_settings(found):
    settings = found(
        "BEC_MY_JOB_KEY=planted\n", of_plugins=lambda: PluginVariables(settings=frozenset({"BEC_MY_JOB_KEY"}))
    )
    assert "BEC_MY_JOB_KEY" not in settings.environment
