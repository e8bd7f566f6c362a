"""The parts of pco-notify: ways to people, what becomes a message, its delivery, trials, the list."""
