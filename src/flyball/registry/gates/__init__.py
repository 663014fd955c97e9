"""Gates: rules that let a new version pass or hold it back; one file each, named as the gate."""
