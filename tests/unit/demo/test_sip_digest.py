"""Digest authentication: demo.sip.digest."""

import pytest

from demo.sip import digest
from demo.sip.digest import NoUsableChallenge
from demo.sip.message import Request, Response

CHALLENGE = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", '
    'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_the_example_of_rfc_2617_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda size: "0a4f113b")
    value = digest.answer(digest.parse(CHALLENGE), "GET", "/dir/index.html", "Mufasa", "Circle Of Life")
    fields = digest.parse(value)
    assert fields["response"] == "6629fae49393a05397450978507c4ef1"
    assert (fields["qop"], fields["nc"], fields["opaque"]) == (
        "auth",
        "00000001",
        "5ccc069c403ebaf9f0171e9517f40e41",
    )


def test_ha1_is_what_asterisk_keeps() -> None:
    assert digest.ha1("Mufasa", "testrealm@host.com", "Circle Of Life") == "939e7578ed9e3c518a452acee763bce9"


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_the_answer_goes_where_the_challenge_came_from(status: int, asks: str, answers: str) -> None:
    request, challenge = Request("INVITE", "sip:600@x"), Response(status)
    challenge.headers.add(asks, 'Digest algorithm=SHA-256, realm="r", nonce="n1"')
    challenge.headers.add(asks, 'Digest algorithm=MD5, realm="r", nonce="n2"')
    digest.authorize(request, challenge, "1001", "secret")
    assert digest.parse(request.headers[answers])["nonce"] == "n2"


def test_a_challenge_without_md5_is_refused_loudly() -> None:
    challenge = Response(401)
    challenge.headers.add("WWW-Authenticate", 'Digest algorithm=SHA-256, realm="r", nonce="n"')
    with pytest.raises(NoUsableChallenge):
        digest.authorize(Request("REGISTER", "sip:x"), challenge, "1001", "secret")
