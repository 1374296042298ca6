"""Tests that run on a node, under the node's own Python."""
