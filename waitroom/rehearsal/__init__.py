"""Rehearsals: a crowd of real visitors before a room, and the same crowd foretold by a model, judged by one report."""
