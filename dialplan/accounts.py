"""An agent's SIP account as objects for `PUT /ari/asterisk/config/dynamic/res_pjsip/{type}/{id}`. Pure.

They live in Asterisk's memory (sorcery.conf): push them again, in this order, after every Asterisk start.
"""

import hashlib

from dialplan.words import AGENTS, LANGUAGE, SIP_REALM

Object = tuple[str, str, dict[str, str]]


def ha1(agent_id: str, password: str) -> str:
    """The digest secret of RFC 2617, all that is ever stored of a SIP password."""
    return hashlib.md5(f"{agent_id}:{SIP_REALM}:{password}".encode(), usedforsecurity=False).hexdigest()


def account_objects(agent_id: str, ha1: str, *, codecs: str = "!all,ulaw,alaw") -> list[Object]:
    """(object type, id, fields) in the order to push; delete in the reverse order."""
    return [
        ("auth", agent_id, _auth(agent_id, ha1)),
        ("aor", agent_id, dict(_AOR)),
        ("endpoint", agent_id, _endpoint(agent_id, codecs)),
    ]


def body(fields: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    """Fields in the form ARI wants them in the request's JSON."""
    return {"fields": [{"attribute": name, "value": value} for name, value in fields.items()]}


def _auth(agent_id: str, ha1: str) -> dict[str, str]:
    return {"auth_type": "md5", "username": agent_id, "md5_cred": ha1, "realm": SIP_REALM}


_AOR = {
    "max_contacts": "1",
    "remove_existing": "yes",  # else a phone that changed its port is refused until the old contact expires
    "qualify_frequency": "10",  # the only way an unplugged phone is noticed
    "qualify_timeout": "3",
}


def _endpoint(agent_id: str, codecs: str) -> dict[str, str]:
    return {
        "aors": agent_id,
        "auth": agent_id,
        "context": AGENTS,
        "identify_by": "username",
        "allow": codecs,
        "language": LANGUAGE,
        "direct_media": "no",
        "dtmf_mode": "auto",
        "media_encryption": "sdes",
        "media_encryption_optimistic": "yes",  # a phone without SRTP is heard all the same
        "device_state_busy_at": "1",
        "allow_transfer": "no",  # a REFER would send the customer into the agents' context: transfer by the API
        # Phones sit behind NAT:
        "rtp_symmetric": "yes",
        "force_rport": "yes",
        "rewrite_contact": "yes",
    }
