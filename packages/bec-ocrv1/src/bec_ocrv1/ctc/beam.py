"""Prefix beam search over CTC scores, with a language model of characters: the compiled inner part."""

from __future__ import annotations

import numpy as np

from bec_ocrv1.ctc.compiled import compiled
from bec_ocrv1.ctc.ngram import walk

_NONE = np.float32(-1e30)


@compiled
def _add(one, other):  # type: ignore[no-untyped-def]
    """Return log(exp(one) + exp(other))."""
    if one < other:
        one, other = other, one
    if other <= _NONE:
        return one
    return one + np.float32(np.log1p(np.exp(other - one)))


@compiled
def _grown(kept, size):  # type: ignore[no-untyped-def]
    """Return an array of the size that begins with what was kept; -1 stands for nothing."""
    longer = np.full(size, -1, kept.dtype)
    longer[: len(kept)] = kept
    return longer


@compiled
def search(  # type: ignore[no-untyped-def]
    chances,
    blank,
    beam,
    floor,
    margin,
    first,
    symbols,
    scores,
    targets,
    fallback,
    price,
    spelt,
    spelling,
    weight,
    bonus,
):
    """Return the best reading's classes and its log probability by the network alone.

    Args:
        chances: log probabilities, time × classes.
        blank: the blank's class.
        beam: readings that are kept after each frame.
        floor: classes less probable than this (log) don't extend a reading in a frame.
        margin: readings worse than the best by more than this are dropped.
        first … price: the language model's arrays.
        spelt, spelling: class `c` is spelt by the model's characters `spelling[spelt[c] : spelt[c + 1]]`.
        weight, bonus: of the language model's log probability, and what each character adds.

    A reading is a node of a tree (its last class and the reading without it); for each the probability of ending in a
    blank and of not doing so are kept apart, as the method wants.
    """
    frames, classes = chances.shape
    size = 4096
    parent = np.empty(size, np.int32)
    last = np.empty(size, np.int32)
    child = np.full(size, -1, np.int32)
    sibling = np.full(size, -1, np.int32)
    state = np.empty(size, np.int32)
    worth = np.empty(size, np.float32)
    slot = np.full(size, -1, np.int32)
    parent[0], last[0], state[0], worth[0] = -1, -1, 0, 0.0
    nodes = 1

    held = np.zeros(beam, np.int32)
    held_blank = np.full(beam, _NONE, np.float32)
    held_other = np.full(beam, _NONE, np.float32)
    held_blank[0] = 0.0
    count = 1
    room = beam * (classes + 1)
    new = np.empty(room, np.int32)
    new_blank = np.empty(room, np.float32)
    new_other = np.empty(room, np.float32)
    value = np.empty(room, np.float32)
    likely = np.empty(classes, np.int32)

    for frame in range(frames):
        row = chances[frame]
        kinds = 0
        for kind in range(classes):
            if kind != blank and row[kind] > floor:
                likely[kinds] = kind
                kinds += 1
        made = 0
        for place in range(count):
            node = held[place]
            ends_blank, ends_other = held_blank[place], held_other[place]
            both = _add(ends_blank, ends_other)
            at = slot[node]
            if at < 0:
                at = made
                slot[node] = at
                new[at], new_blank[at], new_other[at] = node, _NONE, _NONE
                made += 1
            new_blank[at] = _add(new_blank[at], both + row[blank])
            if last[node] >= 0:
                new_other[at] = _add(new_other[at], ends_other + row[last[node]])
            for index in range(kinds):
                kind = likely[index]
                source = ends_blank if kind == last[node] else both
                if source <= _NONE:
                    continue
                longer = child[node]
                while longer >= 0 and last[longer] != kind:
                    longer = sibling[longer]
                if longer < 0:
                    if nodes == size:
                        size *= 2
                        parent, last = _grown(parent, size), _grown(last, size)
                        child, sibling = _grown(child, size), _grown(sibling, size)
                        state, slot = _grown(state, size), _grown(slot, size)
                        worth = _grown(worth, size)
                    longer = nodes
                    nodes += 1
                    parent[longer], last[longer] = node, kind
                    sibling[longer] = child[node]
                    child[node] = longer
                    at_state = state[node]
                    gain = np.float32(0.0)
                    for position in range(spelt[kind], spelt[kind + 1]):
                        if weight != 0:
                            score, at_state = walk(
                                first, symbols, scores, targets, fallback, price, at_state, spelling[position]
                            )
                            gain += weight * score
                        gain += bonus
                    state[longer] = at_state
                    worth[longer] = worth[node] + gain
                there = slot[longer]
                if there < 0:
                    there = made
                    slot[longer] = there
                    new[there], new_blank[there], new_other[there] = longer, _NONE, _NONE
                    made += 1
                new_other[there] = _add(new_other[there], source + row[kind])
        best = _NONE
        for at in range(made):
            slot[new[at]] = -1
            value[at] = _add(new_blank[at], new_other[at]) + worth[new[at]]
            best = max(best, value[at])
        if made > beam:
            limit = max(np.partition(value[:made], made - beam)[made - beam], best - margin)
        else:
            limit = best - margin
        count = 0
        for at in range(made):
            if value[at] >= limit and count < beam:
                held[count], held_blank[count], held_other[count] = new[at], new_blank[at], new_other[at]
                count += 1

    chosen, top = 0, np.float32(-np.inf)
    for place in range(count):
        total = _add(held_blank[place], held_other[place]) + worth[held[place]]
        if total > top:
            chosen, top = place, total
    length = 0
    node = held[chosen]
    while node > 0:
        length += 1
        node = parent[node]
    out = np.empty(length, np.int32)
    node = held[chosen]
    while node > 0:
        length -= 1
        out[length] = last[node]
        node = parent[node]
    return out, _add(held_blank[chosen], held_other[chosen])
