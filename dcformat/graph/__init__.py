"""The network as data: operators, and what is known of each."""
