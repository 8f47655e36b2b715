"""The two stubs and what they share: frames, memory models, and the values that move in a way of their own."""
