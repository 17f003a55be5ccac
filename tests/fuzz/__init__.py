"""Wrong input of every kind into every public function.

`make fuzz`, and a little of it with the tests.

Each input is made from a number, so each finding can be made again. Own generators rather than
hypothesis, which takes a millisecond and more for an input, where most functions here take ten
microseconds; `test_any_answer.py` uses hypothesis.
"""
