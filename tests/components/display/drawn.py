"""What lies in an SVG chart, and whether it lies inside."""

import re
from xml.etree import ElementTree

HOSTILE = "</text><script>alert(1)</script>\"' onload=x \N{RIGHT-TO-LEFT OVERRIDE}" + 300 * "w"


def shapes(svg):
    """Every element of a chart but its root."""
    return list(ElementTree.fromstring(svg).iter())[1:]  # noqa: S314


def corners(svg):
    """Every point that a chart names."""
    for shape in shapes(svg):
        if "d" in shape.attrib:
            yield from walked(shape.attrib["d"])
        elif "cx" in shape.attrib:
            yield float(shape.attrib["cx"]), float(shape.attrib["cy"])
        elif "x" in shape.attrib:
            x, y = float(shape.attrib["x"]), float(shape.attrib["y"])
            yield x, y
            if "width" in shape.attrib:
                yield x + float(shape.attrib["width"]), y + float(shape.attrib["height"])


def walked(path):
    """The points of a path."""
    x = y = 0.0
    for step, numbers in re.findall(r"([MLHVhvZ])([-\d.,]*)", path):
        values = [float(number) for number in numbers.split(",") if number]
        match step:
            case "M" | "L":
                x, y = values
            case "H":
                (x,) = values
            case "V":
                (y,) = values
            case "h":
                x += values[0]
            case "v":
                y += values[0]
        yield x, y


def assert_whole(svg):
    """All is inside, and every attribute is a number where one belongs."""
    root = ElementTree.fromstring(svg)  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {width:.0f} {height:.0f}"
    assert root.attrib["aria-label"]
    for x, y in corners(svg):
        assert -0.1 <= x <= width + 0.1, svg
        assert -0.1 <= y <= height + 0.1, svg
    for shape in shapes(svg):
        for name, value in shape.attrib.items():
            assert name == "aria-label" or not re.search(r"nan|inf|\de", value), (name, value)
