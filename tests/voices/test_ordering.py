"""A voice that costs money is paid for once: what was cut off is found again, whatever was asked for in between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from lineread import config, tts
from lineread.enrolment import IN_DOUBT, Design, Kind, Page
from lineread.errors import ConfigError, OptionError, ServiceFailed, VoiceError
from lineread.voices.making import Made
from lineread.voices.wishes import Wanted
from voices.studio import CONSENT, PROMPT, Service, Workplace, recorded

HTTP, REALTIME = "qwen3-tts-vd-2026-01-26", "qwen3-tts-vd-realtime-2026-01-15"
CLONE = recorded(b"RIFF somebody")


@pytest.fixture
def place() -> Workplace:
    """One whose voices cost something."""
    return Workplace(price=lambda _: 0.2)


async def killed(place: Workplace, make: Callable[[], Awaitable[Made]]) -> str:
    """The making of a voice that is carried out, and whose maker is killed before it hears of that: the voice's id."""
    there = set(place.service.voices)
    place.service.gate.clear()
    place.service.begun.clear()
    making = asyncio.create_task(make())
    await place.service.begun.wait()
    (task,) = (each for each in asyncio.all_tasks() if "Ordering.made" in repr(each.get_coro()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    place.service.gate.set()
    (lost,) = set(place.service.voices) - there
    return lost


def names(place: Workplace) -> list[str]:
    """What was ordered."""
    return [order.name for order in place.service.orders]


def opened() -> list[str]:
    """The files of the orders whose end is not known."""
    directory = os.path.join(config.data_dir(), "voices", ".orders")
    return sorted(os.listdir(directory)) if os.path.exists(directory) else []


async def test_a_design_whose_maker_was_killed_is_not_paid_for_again(place: Workplace) -> None:
    """The same call finds it at the service: an order was noted before it went out."""
    lost = await killed(place, place.design)
    assert place.book.find("guide") is None
    await place.design("other")
    made = await place.design()
    assert (made.id.voice, made.paid) == (lost, 0)
    assert f"An earlier run has had {lost} made; it is not paid for again." in made.notes
    assert names(place) == ["guide", "other"]
    assert await place.spoken("guide") == lost
    assert opened() == []


async def test_what_was_never_made_is_ordered_again(place: Workplace) -> None:
    """An order whose end is not known is looked up; where nothing came of it, the voice is made."""
    place.service.fails = [ServiceFailed("Lost.", code=IN_DOUBT)]
    with pytest.raises(ServiceFailed, match="Lost") as failed:
        await place.design()
    assert "Ask for the same again" in failed.value.remedy
    assert len(opened()) == 1
    assert (await place.design()).paid == 1
    assert opened() == []


async def test_orders_of_one_name_are_apart(place: Workplace) -> None:
    """For another model, or from another description: none closes another's order, made or refused."""
    lost = await killed(place, place.design)
    place.service.fails = [ServiceFailed("Refused.")]
    with pytest.raises(ServiceFailed):
        await place.design(prompt="Somebody else.")
    assert (await place.design(prompt="Somebody else.")).paid == 1
    made = await place.design(replace=True)
    assert (made.id.voice, made.paid) == (lost, 0)
    assert list(place.service.voices) == [lost]  # what it replaces is deleted
    assert len(place.service.orders) == 3


async def test_a_further_model_that_was_cut_off(place: Workplace) -> None:
    """A voice that is there gets the id for live sessions that was ordered for it, however it is asked for again."""
    first = await place.design()
    lost = await killed(place, lambda: place.maker.extend("guide", Wanted(http=False, realtime=True)))
    made = await place.design(realtime=True)
    assert made.paid == 0
    assert [each.voice for each in made.voice.ids] == [first.id.voice, lost]
    assert [each.target_model for each in made.voice.ids] == [HTTP, REALTIME]


async def test_a_replacement_that_was_cut_off_is_not_paid_for_again(place: Workplace) -> None:
    """--replace means another voice, not another payment; what is replaced goes once the new one is found."""
    await place.design()
    lost = await killed(place, lambda: place.design(prompt="Somebody else.", replace=True))
    made = await place.design(prompt="Somebody else.", replace=True)
    assert (made.id.voice, made.paid) == (lost, 0)
    assert list(place.service.voices) == [lost]


async def test_an_order_that_is_refused_again_stays_in_doubt(place: Workplace) -> None:
    """The service may still be at work on the first one when the second one is refused."""
    place.service.fails = [ServiceFailed("Lost.", code=IN_DOUBT), ServiceFailed("Full.")]
    for match in ("Lost", "Full"):
        with pytest.raises(ServiceFailed, match=match):
            await place.design()
    late = await place.service.design(Design("guide", PROMPT, "This way.", HTTP))
    made = await place.design()
    assert (made.id.voice, made.paid) == (late.voice, 0)


async def test_another_voice_is_never_taken_for_it(place: Workplace) -> None:
    """Not one of the same name from another description, and not one that was replaced and is still there."""
    first = await place.design()
    place.service.fails = [None, ServiceFailed("Broken.")]
    second = await place.design(prompt="Somebody else.", replace=True)
    assert second.voice.replaced == (first.id,)
    await place.service.design(Design("guide", "Not in the book.", "This way.", HTTP))
    place.service.fails = [ServiceFailed("Lost.", code=IN_DOUBT)]
    with pytest.raises(ServiceFailed):
        await place.design(replace=True)
    made = await place.design(replace=True)
    assert made.paid == 1
    assert made.id.voice not in {first.id.voice, second.id.voice}
    assert [each.prompt for each in place.service.voices.values()] == ["Not in the book.", PROMPT]


class Older(Service):
    """A service of the older form: pages of ten whatever it is asked for, no total, no model and no description."""

    async def page(self, kind: Kind, *, index: int = 0, size: int = 10) -> Page:
        page = await super().page(kind, index=index, size=10)
        bare = tuple(replace(each, prompt="", target_model="") for each in page.voices)
        return replace(page, voices=bare, total=index * 10 + len(bare))


@pytest.mark.parametrize("service", [Service, Older])
async def test_it_is_found_among_many(service: type[Service]) -> None:
    """However many voices were made since, and however the service lists them."""
    place = Workplace(service, price=lambda _: 0.2)
    lost = await killed(place, place.design)
    for number in range(250):
        await place.service.design(Design("guide", f"Number {number}.", "This way.", HTTP))
    made = await place.design()
    assert (made.id.voice, made.id.target_model, made.paid) == (lost, HTTP, 0)
    assert len(await place.maker.all()) == 251


async def test_what_is_taken_over_needs_no_budget() -> None:
    """It is paid for already."""
    place = Workplace(price=lambda _: 0.2)
    lost = await killed(place, place.design)
    found = await tts.avoice_design(PROMPT, "", "guide", engine=place.studio, budget="0.1yuan")
    assert found.voice_id == lost


@pytest.mark.parametrize("failure", [ConfigError("The disk is full."), ValueError("Nobody thought of that.")])
async def test_what_cannot_be_written_down_is_deleted_or_found_again(
    place: Workplace, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever keeps it out of the book. Where it cannot be deleted either, the next call finds it."""

    def fails(*_: object) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(place.book, "keep", fails)
        with pytest.raises(type(failure)):
            await place.design()
        assert (place.service.voices, opened()) == ({}, [])
        place.service.fails = [None, ServiceFailed("Broken.")]
        with pytest.raises(type(failure)):
            await place.design()
    (lost,) = place.service.voices
    made = await place.design()
    assert (made.id.voice, made.paid, opened()) == (lost, 0, [])


async def test_a_damaged_order_is_still_an_order(place: Workplace) -> None:
    """Its file's name says enough: the voice is looked up all the same."""
    lost = await killed(place, place.design)
    (file,) = opened()
    os.truncate(os.path.join(config.data_dir(), "voices", ".orders", file), 100)
    assert (await place.design()).id.voice == lost


async def clone(place: Workplace, **wanted: bool) -> Made:
    return await place.maker.make(replace(CLONE, wanted=Wanted(**wanted)))


async def refused(place: Workplace) -> str:
    """The remedy for a clone that was cut off: nothing tells what the service made it of, and nothing is ordered."""
    orders = len(place.service.orders)
    for replacing in (False, True):
        with pytest.raises(VoiceError, match="An earlier run was cut off while narrator was being made") as error:
            await clone(place, replace=replacing)
        assert error.value.code == IN_DOUBT
    assert len(place.service.orders) == orders
    return error.value.remedy


async def test_a_clone_that_was_cut_off_is_taken(place: Workplace) -> None:
    """By the call that the error names: with the sample and the consent that it was ordered with."""
    lost = await killed(place, lambda: clone(place))
    assert f"lineread voices add {lost} --name narrator. If not" in await refused(place)
    await place.maker.adopt(lost, "narrator")
    own = place.book.get("narrator")
    assert (own.consent, own.sample_sha256) == (CONSENT, CLONE.sample.sha256)
    assert place.book.read(own, own.sample) == CLONE.sample.audio
    assert opened() == []
    assert (await clone(place)).paid == 0
    assert (await place.maker.extend("narrator", Wanted(http=False, realtime=True))).paid == 1


async def test_a_further_model_of_a_clone_that_was_cut_off_is_taken(place: Workplace) -> None:
    """It joins the voice that is there, and what is said of consent now stands beside what was said before."""
    first = await clone(place)
    lost = await killed(place, lambda: place.maker.extend("narrator", Wanted(http=False, realtime=True)))
    own, _ = await place.maker.adopt(lost, "narrator", "Ana Silva again")
    assert [each.voice for each in own.ids] == [first.id.voice, lost]
    assert own.consent == f"{CONSENT}\nAna Silva again"
    assert (await place.maker.extend("narrator", Wanted(http=False, realtime=True))).paid == 0


async def test_a_clone_that_was_to_replace_another_voice_is_taken(place: Workplace) -> None:
    """Only when that is said again: the voice of that name may be a later one."""
    await place.design("narrator")
    lost = await killed(place, lambda: clone(place, replace=True))
    with pytest.raises(VoiceError) as error:
        await clone(place, replace=True)
    assert f"lineread voices add {lost} --name narrator --replace." in error.value.remedy
    with pytest.raises(OptionError, match="made of something else"):
        await place.maker.adopt(lost, "narrator")
    await place.maker.adopt(lost, "narrator", replacing=True)
    assert list(place.service.voices) == [lost]
    assert (await clone(place)).paid == 0


async def test_what_was_replaced_is_taken_back(place: Workplace) -> None:
    """Before it is deleted; under its own name, for under another one it would be deleted all the same."""
    first = await place.design()
    place.service.fails = [None, ServiceFailed("Broken.")]
    await place.design(prompt="Somebody else.", replace=True)
    with pytest.raises(OptionError, match="guide has replaced that voice") as refused:
        await place.maker.adopt(first.id.voice, "other")
    assert f"lineread voices add {first.id.voice} --name guide --replace." in refused.value.remedy
    own, notes = await place.maker.adopt(first.id.voice, "guide", replacing=True)
    assert ([each.voice for each in own.ids], own.replaced, notes) == ([first.id.voice], (), ())
    assert list(place.service.voices) == [first.id.voice]


async def test_a_clone_that_was_cut_off_is_not_wanted(place: Workplace) -> None:
    """Once it is deleted, or has a name of its own, the same can be made."""
    lost = await killed(place, lambda: clone(place))
    await refused(place)
    await place.maker.discard(lost)
    again = await killed(place, lambda: clone(place))
    await place.maker.adopt(again, "somebody", CONSENT)
    made = await clone(place)
    assert made.paid == 1
    assert set(place.service.voices) == {again, made.id.voice}
    with pytest.raises(VoiceError, match="no id"):
        await place.maker.discard("narrator")


async def test_voices_that_nobody_ordered_here_join_by_what_they_are_made_of(place: Workplace) -> None:
    """A design with the same description is the same voice; a model that has an id already keeps it."""
    await place.design()
    live, again = [
        (await place.service.design(Design("guide", PROMPT, "This way.", model))).voice for model in (REALTIME, HTTP)
    ]
    own, _ = await place.maker.adopt(live, "guide")
    assert [each.target_model for each in own.ids] == [HTTP, REALTIME]
    with pytest.raises(OptionError, match="There is a voice called guide already"):
        await place.maker.adopt(again, "guide")
