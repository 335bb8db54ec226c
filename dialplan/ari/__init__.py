"""Asterisk's REST interface: typed requests, events with reconnect. Knows nothing of callbacks and queues.

The ten traps of ARI (measured on Asterisk 22.10.1) and where each is met:

 1 stale 409                        `client.AriClient.create_or_adopt`
 2 ids fence, but match by prefix   `client.AriClient.create_or_adopt` compares; callers use 32 hex digits
 3 StasisStart before the answer    the caller registers the id before it sends (nothing here waits for both)
 4 create, then dial at once: 409   the caller dials after StasisStart
 5 no ChannelDestroyed for callers  `applications.subscribe(app, event_source="channel:ID")` outlives our reconnect
 6 originate without a listener     ask `connection.AriConnection.connected` first
 7 slow reader loses events         the reader of `connection` only decodes and queues
 8 one app, two owners              `connection.Owner` is asked before each connect and after `errors.AppReplaced`
 9 playback ends `done` or `failed` the caller chooses playback ids and gives each a deadline of its own
10 device-state deadlock            never subscribed to (asterisk issue 2170): `dialplan.ami.client` has the states

Three more. What is asked of a channel waits until its prompt has ended, but for the end of the prompt: stop that
first (an answer took 1.7 s during a read-back). A second dial of the same PJSIP channel is answered 409 once the far
end has said that it rings, and until then 204 like the first; the far end got one INVITE in 300 of 300 tries, but the
call ends: never dial twice (`dialplan.words.DIALLED`). A second dial of a Local channel made Asterisk crash.
"""
