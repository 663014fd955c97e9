"""Documents by what asks for them: one file each."""
