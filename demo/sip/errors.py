"""What goes wrong with a simulated phone: every message ends with the last SIP of the call."""


class SipError(Exception):
    """Base of everything demo.sip raises on purpose."""


class MalformedMessage(SipError):
    """Not a SIP message."""


class SipTimeout(SipError, AssertionError):
    """Something awaited did not happen in time. An AssertionError, so a test fails with its message."""


class CallFailed(SipError, AssertionError):
    """The call ended, or was refused, before what was awaited could happen."""


class MediaEnded(SipError):
    """The audio was closed while somebody listened."""


class RegistrationFailed(SipError, AssertionError):
    """The registrar refused."""
