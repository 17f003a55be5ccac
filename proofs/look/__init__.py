"""`make look`: a browser opens the example DAGs in a real Airflow, and keeps pictures.

Proves of each page that its words are there, that nothing was refused and that no error is shown.
That is only a start: somebody has to look at the pictures, which are in `demo/look`.

Takes seven minutes. Needs a Chromium or a Chrome on the path, or named by `RENDERJUICE_BROWSER`;
shows Blender's renders where `make blender` has been run.
"""
