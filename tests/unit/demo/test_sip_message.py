"""SIP text in and out: demo.sip.message, headers, address, dialog."""

import pytest

from demo.sip.address import Address, Uri
from demo.sip.dialog import Dialog
from demo.sip.errors import MalformedMessage
from demo.sip.headers import Headers
from demo.sip.message import Request, Response, parse, reply

INVITE = b"""INVITE sip:600@127.0.0.1:5060 SIP/2.0\r
v: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;rport, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb\r
Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r
f: "Kim, \\"K\\" <x>" <sip:+4915112345678@carrier.example;user=phone>;tag=abc\r
t: <sip:600@127.0.0.1>\r
i: 17@carrier\r
CSeq: 3 INVITE\r
m: <sip:+4915112345678@10.0.0.1:5070>\r
Subject: one\r
  two\r
l: 4\r
\r
bodyJUNK"""


def parsed() -> Request:
    message = parse(INVITE)
    assert isinstance(message, Request)
    return message


def test_compact_and_folded_headers_are_read() -> None:
    invite = parsed()
    assert (invite.method, invite.uri, invite.call_id) == ("INVITE", "sip:600@127.0.0.1:5060", "17@carrier")
    assert invite.cseq == (3, "INVITE")
    assert invite.headers["subject"] == "one two"
    assert invite.headers["From"].startswith('"Kim')


def test_a_comma_list_is_taken_apart_and_the_top_via_names_the_transaction() -> None:
    invite = parsed()
    assert len(invite.headers.all("Via")) == 2
    assert invite.branch == "z9hG4bKa"


def test_a_body_is_cut_at_its_content_length() -> None:
    assert parsed().body == b"body"


def test_a_display_name_may_hold_commas_quotes_and_brackets() -> None:
    caller = parsed().from_
    assert (caller.display, caller.uri.user, caller.tag) == ('Kim, "K" <x>', "+4915112345678", "abc")
    assert caller.uri.params == {"user": "phone"}


def test_bare_line_feeds_are_tolerated() -> None:
    message = parse(b"SIP/2.0 180 Ringing\nCall-ID: x\n\nabc")
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.call_id, message.body) == (180, "Ringing", "x", b"abc")


def test_what_is_rendered_reads_the_same() -> None:
    invite = parsed()
    again = parse(invite.render())
    assert list(again.headers) == list(invite.headers)
    assert (again.start_line, again.body) == (invite.start_line, invite.body)


@pytest.mark.parametrize("junk", [b"\x16\x03\x01", b"hello there", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0 x y"])
def test_what_is_not_sip_is_malformed(junk: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(junk)


def test_a_reply_copies_every_via_and_adds_our_tag_once() -> None:
    ringing = reply(parsed(), 180, to_tag="ours")
    assert ringing.headers.all("Via") == parsed().headers.all("Via")
    assert ringing.to.tag == "ours"
    within = parsed()
    within.headers["To"] = "<sip:600@127.0.0.1>;tag=old"
    assert reply(within, 200, to_tag="new").to.tag == "old"


def test_setting_a_header_replaces_all_of_that_name() -> None:
    headers = Headers([("Via", "a"), ("v", "b"), ("To", "c")])
    headers["Via"] = "d"
    assert headers.lines("via") == ["d"]
    assert "t" in headers and "From" not in headers


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:+49151@127.0.0.1:5060;transport=udp", "+49151", "127.0.0.1", 5060),
        ("sips:a%20b:secret@host", "a b", "host", None),
        ("sip:127.0.0.1", "", "127.0.0.1", None),
        ("tel:+49151;phone-context=x", "+49151", "", None),
    ],
)
def test_uris_are_taken_apart(text: str, user: str, host: str, port: int | None) -> None:
    uri = Uri.parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)


def test_without_brackets_parameters_belong_to_the_header() -> None:
    address = Address.parse("sip:600@host;tag=x")
    assert (address.tag, address.uri.params) == ("x", {})


def test_the_called_side_keeps_record_routes_in_order_and_the_calling_side_turns_them_round() -> None:
    called = Dialog.of_invite(parsed(), "t", "<sip:me@here>")
    bye = called.request("BYE")
    assert bye.headers.all("Route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
    assert (bye.uri, called.next_hop) == ("sip:+4915112345678@10.0.0.1:5070", ("p1.example", 5060))

    calling = Dialog("17", "<sip:a@b>;tag=1", "<sip:600@h>", "<sip:a@b>", "sip:600@h:5099")
    assert calling.next_hop == ("h", 5099)
    calling.confirm(reply(parsed(), 200, to_tag="2"))
    assert calling.next_hop == ("p2.example", 5060)
    assert calling.request("BYE").to.tag == "2"
