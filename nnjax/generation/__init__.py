"""Sequences written by trained models: sampling, beam search, and the score of a translation."""

from nnjax.generation.beam import beam_search
from nnjax.generation.bleu import bleu
from nnjax.generation.generate import answer, generate
from nnjax.generation.sampling import Sampling

__all__ = ["Sampling", "answer", "beam_search", "bleu", "generate"]
