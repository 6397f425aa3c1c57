import re
import socket

import pytest

from apps.search_own_spaces.addresses import HiddenAddressError, RefusedAddressError, is_public, resolve
from tests.search_own_spaces.conftest import PUBLIC

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]
NEVER = [
    "0.0.0.0",  # noqa: S104
    "::",
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "fe80::1",
    "fe80::1%lo",
    "fd00:ec2::254",
    "100.100.100.200",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
]


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_an_address_of_the_internet_may_be_asked(resolver, address):
    resolver["host.test"] = [[address]]

    assert is_public(address)
    assert resolve("host.test", 443) == [str(socket.getaddrinfo(address, 443)[0][4][0])]


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
def test_every_other_address_is_refused(resolver, caplog, address):
    resolver["host.test"] = [[address]]

    with pytest.raises(HiddenAddressError, match=r"^host\.test$") as caught:
        resolve("host.test", 443)
    assert not is_public(address)
    assert re.fullmatch(r"[\w:.%]+ (is not a public|cannot be the) address.+", str(caught.value.__cause__))
    assert "The own space's host host.test leads to " in caplog.text


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("address", PRIVATE)
def test_the_setting_allows_private_addresses(resolver, address):
    resolver["host.test"] = [[address]]

    assert len(resolve("host.test", 443)) == 1


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize("address", NEVER)
def test_where_clouds_hand_out_credentials_nobody_may_ask(resolver, address):
    resolver["host.test"] = [[address]]

    with pytest.raises(HiddenAddressError, match=r"^host\.test$") as caught:
        resolve("host.test", 443)
    assert "cannot be the address of an embedding service" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "localhost"],
)
def test_this_machine_is_known_by_all_its_names(host):
    with pytest.raises((RefusedAddressError, HiddenAddressError)):
        resolve(host, 443)


def test_one_private_address_among_public_ones_is_enough_to_refuse(resolver):
    resolver["host.test"] = [[PUBLIC, "10.0.0.1"]]

    with pytest.raises(HiddenAddressError, match=r"^host\.test$"):
        resolve("host.test", 443)


def test_an_address_itself_is_named_since_it_tells_nothing():
    with pytest.raises(RefusedAddressError, match=r"^10\.0\.0\.1 is not a public address, and no other is "):
        resolve("10.0.0.1", 443)
