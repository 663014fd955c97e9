"""What is wrong with tables: one plug-in file for each kind of finding."""
