"""config/checks.py, apikeys/checks.py, providers/checks.py: warnings of `check --deploy`, and lines at a start."""

from ipaddress import ip_network

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks

from providers.connection import credentials
from providers.models import Provider
from tests.servers import running

pytestmark = pytest.mark.django_db
PEPPER = "another-0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def warned():
    """The ids of the warnings that `check --deploy` gives of our own."""
    return lambda: [message.id for message in run_checks(tags=["modeldex"], include_deployment_checks=True)]


def test_a_sound_deployment_has_none(warned, settings, make_user, make_key):
    make_key(make_user("alice"))
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    assert warned() == []


def test_a_host_of_any_name_is_warned_of(warned, settings):
    settings.ALLOWED_HOSTS = ["models.example.com", "*"]
    assert warned() == ["config.W001"]


@pytest.mark.parametrize("proxies", [["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1"]])
def test_proxies_of_all_addresses_are_warned_of(warned, settings, proxies):
    settings.TRUSTED_PROXIES = [ip_network(network) for network in proxies]
    assert warned() == ["config.W002"]


@pytest.mark.parametrize(
    ("peppers", "is_lost"),
    [
        ({"p2": PEPPER}, True),
        # Made anew under the old id.
        ({"tests": PEPPER}, True),
        ({"p2": PEPPER, "renamed": "only-0123456789abcdefghijklmnopqrstuvwxyz"}, False),
    ],
)
def test_keys_that_no_pepper_opens_are_warned_of(warned, settings, make_user, make_key, peppers, is_lost):
    make_key(make_user("alice"))
    settings.API_KEY_PEPPERS = peppers
    assert warned() == ["apikeys.W001"] * is_lost


def test_keys_of_an_older_release_are_known_by_the_id_of_their_pepper(warned, settings, make_user, make_key):
    make_key(make_user("alice"), pepper_id="tests")
    assert warned() == []
    settings.API_KEY_PEPPERS = {"p2": PEPPER}
    assert warned() == ["apikeys.W001"]


def test_credentials_that_no_key_opens_are_warned_of(warned, settings):
    provider = Provider(slug="acme", name="Acme", kind="compatible", base_url="https://api.acme.example/v1")
    credentials.store(provider, "a-secret-of-the-tests")
    provider.save()
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert warned() == ["providers.W001"]


@pytest.mark.django_db(transaction=True)
def test_a_server_says_each_at_its_start_and_serves_all_the_same(project_dir, tmp_path, database_url):
    settings = {"ALLOWED_HOSTS": "*", "TRUSTED_PROXIES": "0.0.0.0/0"}
    with running(
        tmp_path / "log", project_dir, DATABASE_URL=database_url, DATABASE_POOL_MAX_SIZE="4", **settings
    ) as at:
        assert at.request("GET", "/readyz").status == 200
        assert [len(at.logged(name)) for name in ("ALLOWED_HOSTS=*", "TRUSTED_PROXIES holds")] == [1, 1]


def test_a_database_that_is_gone_keeps_no_server_from_its_start(project_dir, tmp_path):
    gone = "postgresql://modeldex@127.0.0.1:1/none"
    with running(tmp_path / "log", project_dir, DATABASE_URL=gone, ALLOWED_HOSTS="*", DATABASE_POOL_MAX_SIZE="4") as at:
        assert (at.request("GET", "/healthz").status, at.request("GET", "/readyz").status) == (200, 503)
        assert len(at.logged("ALLOWED_HOSTS=*")) == 1
