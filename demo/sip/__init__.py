"""Simulated telephones: a small SIP and RTP user agent on asyncio. Start at agent.py and carrier.py."""
