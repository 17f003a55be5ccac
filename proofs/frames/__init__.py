"""Two thousand real frames, some of them spoiled: which does the check find, and which not?"""
