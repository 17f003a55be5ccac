"""What is too slow for every test run: each a program, with a page that says what it proves."""
