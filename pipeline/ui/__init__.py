"""The pages of a root, to look at in a browser: `millrace ui`, and a run's report in one file.

A view gathers what its page shows as plain JSON values, which is the page's `.json` twin as well;
a template lays them out. So what can be seen can be read by a program, and nothing else is shown.
"""
