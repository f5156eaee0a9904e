"""The assistant's understanding beside its peers: `make bench` (docs/bench/peers.md)."""
