"""What pco-purge and pco-retention share: where something of a ticket lies, and how it goes."""
