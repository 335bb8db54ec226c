"""Rows compared with what Asterisk holds: at each new contact (`recovery`), and slowly all the time (`sweeping`)."""
