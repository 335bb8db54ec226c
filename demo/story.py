"""`ringback demo`: simulated customers and an agent's phone make real calls through a whole Ringback of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import click

from demo import calling_back, calling_in
from demo.cast import AGENT, AGENT_TONE, DNIS, QUEUE, SETTINGS, Play
from demo.stage import Stage, open_stage
from demo.teller import PROBLEMS, StepFailed, Teller, expect
from demo.understanding import Language
from routing.local.asterisk import prompts
from routing.local.install import asterisk_package, postgres_binaries
from routing.local.system.processes import Process
from routing.runtime import log
from routing.runtime.until_signal import run_until_signal

_PASSED, _FAILED, _INTERRUPTED = 0, 1, 130
_PARTS = ("service", "asterisk", "postgres")
_ACTS = (
    calling_in.a_caller_becomes_a_callback,
    calling_back.the_agent_answers,
    calling_back.the_agent_accepts_by_api,
    calling_back.a_live_caller_is_joined,
    calling_back.the_service_is_killed,
)


def main() -> int:
    """The exit code: 0 when every step was seen, 1 when one was not, 130 when interrupted. Raises SetupError."""
    teller, sounds = Teller(), _set_up()
    home = Path(tempfile.mkdtemp(prefix="ringback-demo-"))
    home.chmod(0o755)  # the unprivileged user who runs Postgres has to enter it
    code = _INTERRUPTED

    async def run() -> None:
        nonlocal code
        code = await _perform(teller, home, sounds)

    log.configure("warning", fd=os.open(home / "demo.log", os.O_WRONLY | os.O_CREAT, 0o600))
    run_until_signal(run())
    if code == _FAILED:
        teller.say(_where_to_look(home))
    else:
        shutil.rmtree(home)
        teller.say(_what_next() if code == _PASSED else "\nInterrupted: everything is stopped and removed.")
    return code


def _set_up() -> Path:
    """The spoken prompts. What is missing is installed first, and said."""

    def say(text: str) -> None:
        click.echo(text, err=True)

    postgres_binaries.find_or_install(say)
    return prompts.spoken(asterisk_package.find_or_install(say), say)


async def _perform(teller: Teller, home: Path, sounds: Path) -> int:
    teller.say("Real SIP calls through Asterisk, Ringback and Postgres, all on this machine. Seconds on the left.")
    try:
        await _tell(teller, home, sounds)
    except StepFailed:
        return _FAILED
    except PROBLEMS as error:
        teller.say(f"The demo could not go on: {error or type(error).__name__}")
        return _FAILED
    teller.summary()
    return _PASSED


async def _tell(teller: Teller, home: Path, sounds: Path) -> None:
    language = Language(sounds)
    async with AsyncExitStack() as stack:
        with teller.step("Ringback", "starts Postgres, Asterisk and the service") as step:
            at = time.monotonic()
            stage = await stack.enter_async_context(open_stage(home / "data", seed="demo", log=home / "up.log"))
            step.took(time.monotonic() - at, "start → ready")
        play = await _prepare(stage, teller, language)
        try:
            for act in _ACTS:
                await act(play)
        except StepFailed:
            (home / "sip.txt").write_text(f"{play.agent.phone.trace()}\n\n{stage.carrier.trace()}\n")
            raise
        await _end(stack, stage, teller)


async def _prepare(stage: Stage, teller: Teller, language: Language) -> Play:
    with teller.step(f"agent {AGENT}", f"registers a phone and logs in; queue “{QUEUE}” answers {DNIS}"):
        await stage.queue(QUEUE, DNIS, **SETTINGS)
        agent = await stage.worker(AGENT, QUEUE)
        agent.phone.tone = AGENT_TONE
        expect("the agent after logging in", "not_ready", (await agent.state())["state"])
    return Play(stage, teller, language, agent)


async def _end(stack: AsyncExitStack, stage: Stage, teller: Teller) -> None:
    teller.act("The end")
    with teller.step("Ringback", "stops the service, Asterisk and Postgres") as step:
        at, parts = time.monotonic(), {part: Process(stage.pid(part)) for part in _PARTS}
        await stack.aclose()
        step.took(time.monotonic() - at, "asked to stop → all stopped")
        expect("exit code of `ringback up`", 0, stage.up.returncode)
        expect("what still runs", [], [name for name, part in parts.items() if part.alive])


def _where_to_look(home: Path) -> str:
    return f"""
Not everything was seen. Everything is kept in {home}:
  up.log                          what Ringback logged, every decision on a line
  sip.txt                         every SIP message at the phones
  data/asterisk, data/postgres    logs of Asterisk and Postgres
Remove it with: rm -r {home}"""


def _what_next() -> str:
    return """
Every step was seen at the phones and in Postgres. Now yours:
  make run                        the same system, left running for your own phone and the API
  docs/first-call.md              how to register a softphone, log in, and connect a carrier"""
