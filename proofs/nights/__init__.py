"""`make nights`: 50 nights of 20 shots, in which frames are lost and renders fail.

Proves that every shot becomes whole within three rounds, or is named with its reason, and what that
costs. Of the frames 5 % never arrive and 1 % are damaged, and 3 % of the jobs fail midway, by a
seeded chance: each run is the same. Held against the emulator's ledger, for each night:

- Every shot is in the summary: delivered, each frame compared with what it has to show by decoding
  it; or failed with a reason, and then three rounds did not suffice.
- No job orders a frame that an earlier one brought whole, and none is left running.
- A second run of the night orders nothing, and changes nothing that the summary says.
- What the summary says was spent is what the ledger says, job by job.
- Of all nights together: at most 1.1 frames are rendered for one that is needed.

The tasks of `renderjuice_nightly` and `renderjuice_shot` are performed one after the other, without
an Airflow around them. That takes some minutes on two cores, and needs nothing but what `make
install` brings. `NIGHTS="--nights 5"` makes it shorter, and `NIGHTS=--real` takes three nights
through a real scheduler.

How to read it, from the inside out; a module imports only what stands above it:

| module | holds |
| --- | --- |
| `studio` | the shots, the scenes, the shot list and the summary of a night |
| `evidence` | what was ordered, rendered and delivered, and what is wrong with it |
| `pictures` | delivered frames, compared with what they have to show |
| `walk` | the tasks of a night, performed by hand |
| `night` | one night by hand, and how a night is judged |
| `real` | the same nights by a real scheduler |
| `table` | prints how it went |
"""
