"""What each command does; `psyrun.commandline` declares them."""
