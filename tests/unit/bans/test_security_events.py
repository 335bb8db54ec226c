"""AMI's security events as Asterisk 22.10.1 sends them."""

from ipaddress import ip_address
from types import MappingProxyType

from dialplan.security import Answered, answered

WRONG = MappingProxyType(
    {
        "Event": "ChallengeResponseFailed",
        "Privilege": "security,all",
        "Service": "PJSIP",
        "AccountID": "<unknown>",
        "SessionID": "abc7",
        "LocalAddress": "IPV4/UDP/127.0.0.1/13010",
        "RemoteAddress": "IPV4/UDP/203.0.113.5/33219",
        "Challenge": "1795731469/f1ba0c58aaccbdeba0e5c86e5c1621ce",
        "Response": "6692ce2f5b86f5e4e0cc71b46c18f983",
        "ExpectedResponse": "",
    }
)


def test_a_wrong_answer_tells_from_where_it_came_and_to_what() -> None:
    assert answered(WRONG) == Answered(ip_address("203.0.113.5"), False, 33219, "<unknown>", WRONG["Challenge"])


def test_over_tcp_tls_and_a_websocket_the_sender_is_proved_by_the_transport() -> None:
    for transport in ("TCP", "TLS", "WS", "WSS"):
        told = answered({**WRONG, "RemoteAddress": f"IPV6/{transport}/2001:db8::5/5061"})
        assert told and told.stream and told.address == ip_address("2001:db8::5")


def test_ipv4_is_ipv4_where_asterisk_listens_on_both() -> None:
    told = answered({**WRONG, "RemoteAddress": "IPV6/UDP/[::ffff:203.0.113.5]/5060"})
    assert told and told.address == ip_address("203.0.113.5")
    local = answered({**WRONG, "RemoteAddress": "IPV6/UDP/fe80::1%eth0/5060"})
    assert local and local.address == ip_address("fe80::1")


def test_a_name_a_stranger_made_up_can_be_stored_and_logged() -> None:
    told = answered({**WRONG, "AccountID": "\x00a\ud800é\x1b[2J" + "x" * 1000})
    assert told and told.account.startswith("?a???[2Jx") and len(told.account) == 100


def test_what_ami_says_of_its_own_logins_is_not_about_sip() -> None:
    assert answered({**WRONG, "Service": "AMI"}) is None
