"""What happened to the quality of objects, told to programs: to those who ask, and to those who are called."""
