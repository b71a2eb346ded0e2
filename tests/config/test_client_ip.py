from ipaddress import ip_network

import pytest

from config.client_ip import client_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(rf, settings, peer, forwarded, expected):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    assert client_of(rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded).META) == expected


def test_without_trusted_proxies_a_forwarded_address_is_ignored(rf, settings):
    settings.TRUSTED_PROXIES = []
    assert client_of(rf.get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.1").META) == "127.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "peer", "status"),
    [(["10.0.0.0/8"], "10.0.0.1", 200), (["10.0.0.0/8"], "203.0.113.9", 301), ([], "10.0.0.1", 301)],
)
def test_a_forwarded_scheme_counts_only_from_a_trusted_proxy(client, settings, db, proxies, peer, status):
    settings.TRUSTED_PROXIES = [ip_network(network) for network in proxies]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get("/api/models", REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO="https")
    assert answer.status_code == status
