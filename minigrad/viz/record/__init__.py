"""What is noted while a program runs, and only where it was asked for: source lines, modules, times, failures."""
