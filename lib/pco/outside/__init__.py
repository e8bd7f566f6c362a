"""One module per outside thing; none of them knows the spool."""
