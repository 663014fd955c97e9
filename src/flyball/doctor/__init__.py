"""What may be wrong with a workspace and the machine it stands on, each with the mend. It looks, and changes what is safe to."""
