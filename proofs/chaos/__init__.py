"""`make chaos`: processes die, users change their minds, accidents happen; then the bill is read.

Proves invariants 1 and 2 of `docs/invariants.md`: one task instance starts at most one paid render
at a time, and a user's kill or a deadline stops the bill. A real Airflow with two triggerers, on
SQLite, renders the shots of more than two hundred scenarios against the emulator. The emulator's
ledger then says what each shot cost, and Airflow what its task returned.

Then, for invariants 11 and 12, Renderjuice's events are lost, late, doubled, damaged and forged,
and the API servers that receive them die. Every shot ends as without any event, and each event that
arrives is noted once and makes one asset event.

At the end, the database, the logs and all other files are searched for secrets. Then a night of the
example DAGs, on an Airflow of its own: workers die while they start the shots' runs, a shot is
cleared while it renders, and somebody starts a second run of one.

Takes half an hour on two cores. Needs nothing but what `make install` brings.
`CHAOS="--only=marked"` selects scenarios by their name. What a run leaves is in `.run/chaos`.

How to read it, from the inside out; a module imports only what stands above it:

| module | holds |
| --- | --- |
| `case` | what a shot goes through, and the figures that it must come to |
| `relay`, `proxy` | a network that can fail; an API at which workers die |
| `doorway` | where events of renders come in; API servers die there |
| `leaks` | the search for secrets |
| `harness` | the Airflow and the emulator, and a service manager that restarts what was killed |
| `shots` | one shot: its scene, its DAG run, its bill |
| `scenario` | a case, and the moves that are made while its shots render |
| `moves` | all moves: marks, clears, signals, outages, and waits for something |
| `kill_points`, `user_actions`, `accidents`, `trials`, `processes`, `network` | the scenarios |
| `events` | those of events that come late, twice or never, and of receivers that die |
| `driver`, `table` | performs them, judges them, prints the table |
| `night` | the example DAGs |
"""
