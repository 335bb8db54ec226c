"""Asterisk over AMI: `client` watches phones and Asterisk, `session` is one connection with its guards."""
