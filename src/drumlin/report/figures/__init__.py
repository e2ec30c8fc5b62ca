"""The figures of a run, a figure a file: numbers computed once, drawn by plotly on the page and by matplotlib into files."""
