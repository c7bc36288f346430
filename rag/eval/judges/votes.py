"""Many votes on a list become a verdict on each thing in it, whatever the order of the list.

A language model likes what stands first, or last. So a list is judged as it is and turned round, and a
verdict that differs between the two is none: it was given to a place, not to a thing. To settle it by a
further vote would let the same liking decide. How many such there are tells how much a model can be trusted.

Source: Zheng et al. 2023, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena (arXiv:2306.05685), who
count a preference only where it outlives a swap; Wang et al. 2022, Self-Consistency Improves Chain of Thought
Reasoning (arXiv:2203.11171), for votes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rag.eval.judges.asking import Unreadable
from rag.eval.judges.forms import Vote
from rag.types import Judgement

Ask: TypeAlias = Callable[[bool, int], Sequence[Vote | str]]
"""Whether the list is turned, and the number of the vote, give a vote on each thing in the list's own order,
or why there is none."""


def decide(count: int, ask: Ask, *, votes: int, turns: bool) -> list[Judgement]:
    """The verdicts on `count` things.

    In each order, more than half of `votes` votes make a verdict; no more are asked for than that needs.

    Args:
        count: How many things there are.
        ask: Asks for a vote on each.
        votes: How many votes at most in an order, an odd number.
        turns: Whether to judge the list turned round as well.
    """
    orders = [_votes(count, ask, votes, turned) for turned in ((False, True) if turns else (False,))]
    return [_judgement([order[thing] for order in orders], votes) for thing in range(count)]


def one_by_one(count: int, ask: Callable[[int], Vote]) -> list[Vote | str]:
    """A vote on each thing, asked for alone. A model that fails at the first two is asked no more."""
    cast: list[Vote | str] = []
    for thing in range(count):
        if len(cast) == 2 and all(isinstance(each, str) for each in cast):
            return [*cast, *[cast[-1]] * (count - 2)]
        try:
            cast.append(ask(thing))
        except Unreadable as error:
            cast.append(str(error))
    return cast


def either(first: Judgement, second: Judgement) -> Judgement:
    """The verdict where a part of the passages is enough: the model does not take all of them at once."""
    for each in (first, second):
        if each.value:
            return Judgement(each.value, f"by a part of the passages: {each.reason}")
    return next((each for each in (first, second) if each.value is None), first)


def _votes(count: int, ask: Ask, votes: int, turned: bool) -> list[list[Vote | str]]:
    """The votes on each thing in one order of the list."""
    cast: list[list[Vote | str]] = [[] for _ in range(count)]
    for number in range(votes):
        for thing, vote in enumerate(ask(turned, number)):
            cast[thing].append(vote)
        if all(_winner(each, votes) is not None for each in cast):
            break
    return cast


def _winner(cast: Sequence[Vote | str], votes: int) -> bool | None:
    for side in (True, False):
        if 2 * sum(isinstance(each, Vote) and each.yes is side for each in cast) > votes:
            return side
    return None


def _judgement(orders: Sequence[Sequence[Vote | str]], votes: int) -> Judgement:
    """The verdict on one thing, by its votes in each order."""
    winners = [_winner(cast, votes) for cast in orders]
    cast = [vote for each in orders for vote in each]
    if None in winners:
        why = next((vote for vote in cast if isinstance(vote, str)), "")
        yes = sum(isinstance(vote, Vote) and vote.yes for vote in cast)
        no = sum(isinstance(vote, Vote) and not vote.yes for vote in cast)
        return Judgement(None, f"{yes} yes, {no} no and {len(cast) - yes - no} unreadable votes: {why}")
    if len(set(winners)) > 1:
        first, other = ("yes", "no") if winners[0] else ("no", "yes")
        return Judgement(
            None, f"the verdict changes with the order: {first} in the list, {other} turned round"
        )
    side = winners[0]
    agreeing = [vote for vote in cast if isinstance(vote, Vote) and vote.yes is side]
    share = f"{len(agreeing)} of {len(cast)} votes" if len(cast) > 1 else ""
    reason = agreeing[0].reason
    return Judgement(float(bool(side)), ": ".join(filter(None, (share, reason))))
