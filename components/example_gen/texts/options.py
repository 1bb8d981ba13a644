"""Choices of `text_example_gen`, apart from what reads texts, so that naming them loads little."""

from typing import Literal

TextLayout = Literal["auto", "classes", "splits", "class_files", "labelled_lines"]
EmptyTexts = Literal["reject", "drop"]
LabelSets = Literal["refuse", "whole", "first"]
