"""The catalogue of bad input as tables: what is wrong, and what the message must say."""
