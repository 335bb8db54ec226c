"""An agent's phone on another machine, run in that one's network namespace by network.py: registers, answers one
call, listens, and tells on its standard output, as JSON, what it saw.
"""

import asyncio
import json
import sys

from demo.sip import policy, sdp
from demo.sip.agent import SipAgent


async def main(address: str, server: str, sip: int, password: str, private: list[int]) -> None:
    phone = SipAgent("1001", server, sip, password, local_host=address, policy=policy.answer(0.2), tone=350)
    async with phone:
        await phone.register()
        call = await phone.incoming(30)
        offer = sdp.parse(call.invite.body)
        await call.hear(450, 10)
        seen = {
            "media": offer.host if offer else None,
            "contact": call.invite.headers["Contact"],
            "private": [await reaches(server, port) for port in private],
        }
        print(json.dumps(seen), flush=True)
        await call.ended(20)


async def reaches(server: str, port: int) -> bool:
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(server, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


if __name__ == "__main__":
    address, server, sip, password, *private = sys.argv[1:]
    asyncio.run(main(address, server, int(sip), password, [int(port) for port in private]))
