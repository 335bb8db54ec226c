"""Shuts out who guesses SIP passwords, before Asterisk hears them: in the kernel, with rules of our own (nftables).

watch.py puts it together, rules.nft are the rules, nonces.py is the proof that a guesser gets our answers. It runs in
Asterisk's network with the capabilities NET_ADMIN and NET_RAW.
"""
