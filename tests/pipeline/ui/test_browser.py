"""Every page in Chromium, over runs whose data is hostile: names full of HTML, script and quotes.

The pages are found as a person finds them, by the links of those before; each is looked at in
light and dark and as wide as a phone.
"""

import csv
import dataclasses
import pathlib
import random
import re
import shutil
import time
import urllib.parse

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import sync_playwright

from millrace import runs
from millrace.pipeline import starting
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui import routes
from tests.command import millrace, started
from tests.pipeline.test_pushed import _push
from tests.pipeline.ui.conftest import served
from tests.pipeline.ui.views.test_trying import Light, picture

CHROMIUM = shutil.which("chromium")
# Closes what it may stand in, and runs, or puts an element there, where it is taken for markup.
HOSTILE = "\"'></title></script><img src=x onerror=hacked=1><b data-evil>{{7*7}}&amp;\u202e`"
NAME = HOSTILE.replace("/", "")  # of a file
LONG = "w" * 100
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
MOST = 3  # pages of a kind that are looked at


def _pictures(folder):
    for number, name in enumerate((f"{NAME}{LONG}", "<b data-evil>ant")):
        (folder / name).mkdir(parents=True)
        for one in range(12):
            picture = Image.new("L", (8, 8), 40 + 150 * number + one)
            picture.save(folder / name / f"{one}{NAME}.png")


def _table(folder):
    chance = random.Random(0)
    folder.mkdir()
    with (folder / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"x{HOSTILE}", f"kind{LONG}", f"y{HOSTILE}"])
        for _ in range(150):
            x = chance.random()
            kind = chance.choice([HOSTILE, f"</td></table><b data-evil>{LONG}"])
            writer.writerow([round(x, 3), kind, f"yes{HOSTILE}" if x > 0.5 else f"no{LONG}"])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs of a classifier of pictures and of one of rows; the second has a tag and a note."""
    folder = tmp_path_factory.mktemp("hostile")
    _pictures(folder / "pictures")
    _table(folder / "table")
    common = ("--set", "trainer.epochs=2", "--root", folder / "root")
    dense = ("--set", "trainer.model=dense")
    labelled = ("--set", f"analyze.features.label=y{HOSTILE}")
    for line in (
        ("image-classifier", "--data", folder / "pictures", *dense),
        ("tabular", "--data", folder / "table", *dense, *labelled),
    ):
        done = millrace("run", *line, *common)
        assert done.returncode == 0, done.stderr
    note = f"{HOSTILE}{LONG}"
    tagged = millrace("tag", "latest", "evil", "--note", note, "--root", folder / "root")
    assert tagged.returncode == 0, tagged.stderr
    return Root(folder / "root")


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium."""
    if CHROMIUM is None:
        pytest.skip("There is no chromium here: `apt-get install chromium`.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@dataclasses.dataclass
class Seen:
    """What was seen of a page."""

    address: str
    status: int
    faults: dict[str, list[str]]  # by the name of the look: what axe finds
    scrolls: int  # pixels that the page is wider than a phone
    said: list[str]  # errors on the console, dialogs, exceptions
    ran: bool  # whether a text of the data ran, or became an element
    links: list[str]


def look(browser, address, *, offline=False):
    """Open a page in a window of its own, and look at it in light, dark, and on a phone."""
    context = browser.new_context(viewport=DESK, color_scheme="light")
    context.set_offline(offline)
    page, said = context.new_page(), []
    page.on("console", lambda told: said.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    answer = page.goto(address)
    faults = {"light": faults_of(page)}
    page.emulate_media(color_scheme="dark")
    faults["dark"] = faults_of(page)
    page.set_viewport_size(PHONE)
    wide = page.evaluate("document.documentElement.scrollWidth") - PHONE["width"]
    ran = page.evaluate("!!window.hacked || !!document.querySelector('[data-evil], img[src=x]')")
    # Those of drawings have an address that is no text.
    all_of = "all => all.map(one => new URL(one.getAttribute('href'), document.baseURI).href)"
    links = page.eval_on_selector_all("a[href]", all_of)
    seen = Seen(address, answer.status if answer else 0, faults, wide, said, ran, links)
    context.close()
    return seen


def faults_of(page):
    """What axe finds, each with where."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['target'][0]} {node['html'][:160]}"
        for fault in found
        for node in fault["nodes"][:2]
    ]


@pytest.fixture(scope="module")
def pages(root):
    with served(root) as found:
        yield found


@pytest.fixture(scope="module")
def seen(browser, root, pages):
    """Each kind of page that links lead to, some of each; that of a form is compare."""
    first = f"{pages.origin}/{pages.keys[0]}"
    chosen = "&".join(f"run={run.id}" for run in runs(root.path))
    waiting, known, counts, found = [f"{first}/runs", f"{first}/compare?{chosen}"], set(), {}, []
    while waiting:
        address = waiting.pop(0)
        kind = view_of(urllib.parse.urlsplit(address).path)
        is_ours = address.startswith(pages.origin) and kind is not None
        if not is_ours or address in known or counts.get(kind, 0) >= MOST:
            continue
        known.add(address)
        counts[kind] = counts.get(kind, 0) + 1
        found.append(look(browser, address))
        waiting += [link.partition("#")[0] for link in found[-1].links]
    return found


def view_of(path):
    """The pattern of the page at a path; None of what is a file, as a twin is."""
    if path.endswith(".json"):
        return None
    for view in routes.VIEWS:
        pattern = re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(f"/{{root}}/{view.pattern}"))
        if re.fullmatch(pattern, path):
            return view.pattern
    return None


def test_links_lead_to_every_page_and_none_into_the_void(seen):
    kinds = {view_of(urllib.parse.urlsplit(one.address).path) for one in seen}
    assert {view.pattern for view in routes.VIEWS} - kinds == set()
    assert [one.address for one in seen if one.status != 200] == []


def test_every_page_is_accessible_in_light_and_dark(seen):
    assert {one.address: one.faults for one in seen if any(one.faults.values())} == {}


def test_no_page_is_wider_than_a_phone(seen):
    assert {one.address: one.scrolls for one in seen if one.scrolls > 0} == {}


def test_no_page_says_an_error_or_asks_for_what_it_must_not(seen):
    assert {one.address: one.said for one in seen if one.said} == {}


def test_no_text_of_the_data_runs_or_becomes_an_element(seen):
    assert [one.address for one in seen if one.ran] == []


def test_what_is_in_an_artifact_of_each_type_is_shown_without_a_fault(browser, root, pages):
    first = f"{pages.origin}/{pages.keys[0]}/artifacts"
    newest = {}
    with Store.of(root).session() as session:
        for record in session.scalars(sa.select(ArtifactRecord).order_by(ArtifactRecord.id)):
            newest[record.type] = record.id
    evaluation = newest["Evaluation"]
    addresses = [f"{first}/{number}" for number in newest.values()]
    addresses.append(f"{first}/{evaluation}?truth=1&answer=1")  # the rows behind a cell
    found = [look(browser, address) for address in addresses]
    assert len(found) > 10
    for one in found:
        seen = (one.status, one.faults, one.said, one.ran, max(0, one.scrolls))
        assert (one.address, *seen) == (
            one.address,
            200,
            {"light": [], "dark": []},
            [],
            False,
            0,
        )


def test_a_threshold_is_chosen_by_a_slider_and_without_script_from_a_table(browser, root, pages):
    with Store.of(root).session() as session:
        query = sa.select(ArtifactRecord.id).where(ArtifactRecord.type == "Evaluation")
        number = max(session.scalars(query))
    address = f"{pages.origin}/{pages.keys[0]}/artifacts/{number}"
    rows = "#threshold-rows tbody tr:visible"
    page = browser.new_page()
    page.goto(address)
    slider = page.get_by_role("slider", name="Threshold")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.locator(rows).locator("th").all_inner_texts() == ["0.01"]
    assert slider.get_attribute("aria-valuetext") == "0.01"
    page.context.close()
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(address)
    assert page.locator(rows).count() == 21
    assert not page.locator("input[type=range]").is_visible()
    plain.close()


def test_an_uploaded_image_is_named_and_otherwise_after_a_rollback(browser, toy):
    import tensorflow as tf

    for version, names in ((1, ["light", "dark"]), (2, ["dark", "light"])):
        module = Light(names)
        folder = str(toy.root.serving / "look" / str(version))
        tf.saved_model.save(module, folder, signatures={"serving_default": module.judge})
    upload = {"name": "one.png", "mimeType": "image/png", "buffer": picture(230)}
    with served(toy.root) as pages:
        address = f"{pages.origin}/{pages.keys[0]}/models/look"
        page = browser.new_page()

        def told():
            page.goto(f"{address}/try")
            page.locator("form#ask, button:text('Load it')").first.wait_for()
            page.locator(".status.done").wait_for(timeout=120_000)
            page.reload()  # of a model that no run has made the form is known now
            page.set_input_files("#image", [upload])
            page.get_by_role("button", name="Ask", exact=True).click()
            page.locator(".said").wait_for(timeout=60_000)
            version = page.locator("#answer h3").first.inner_text()
            return version.partition(" ")[2].split()[0], page.inner_text(".said")

        assert told() == ("2", "dark")
        page.goto(address)
        rollback = page.get_by_role("button", name="Roll back to 1")
        assert not rollback.is_visible()  # one press is not enough
        page.get_by_text("Roll back…").click()
        rollback.click()
        page.get_by_text("Version 2 was withdrawn. Servers now take version 1.").wait_for()
        assert told() == ("1", "light")
        page.close()


def test_a_version_is_labelled_and_pushed_again_by_buttons(browser, toy, monkeypatch):
    result = [_push(toy, number, f"train.epochs={number}") for number in (1, 2)][-1]
    started = []

    def start(store, root, words):
        started.append(words)
        return result.run

    monkeypatch.setattr(starting, "start", start)
    with served(toy.root) as pages:
        page = browser.new_page()
        page.goto(f"{pages.origin}/{pages.keys[0]}/models/toy")
        page.get_by_text("Label…").click()
        page.get_by_label("Label", exact=True).fill("stable")
        page.get_by_label("for version").select_option("1")
        page.get_by_role("button", name="Give it this label").click()
        assert "names version 1" in page.locator("#labels + ul").inner_text()
        page.get_by_text("Remove…").click()
        page.get_by_role("button", name="Remove stable").click()
        page.locator("#labels").wait_for(state="detached")
        page.get_by_text("Push again…").click()
        page.get_by_role("button", name="Push it again").click()
        page.wait_for_url(f"**/runs/{result.run}")
        page.close()
    assert started == [["push", "toy", "1", "--root", toy.root.name]]


def test_the_reports_open_with_the_network_off(browser, root):
    found = runs(root.path)
    assert len(found) == 2
    for run in found:
        file = pathlib.Path(run.report)
        one = look(browser, file.as_uri(), offline=True)
        assert (one.faults, one.said, one.ran) == ({"light": [], "dark": []}, [], False)
        assert one.scrolls <= 0
        assert file.stat().st_size < 2e6


def test_a_notebook_shows_what_runs_made_as_texts(browser, root, tmp_path):
    found = runs(root.path)
    shown = [run._repr_html_() for run in found]
    steps = [step for run in found for step in run.steps.values()]
    shown += [step._repr_html_() for step in steps]
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{''.join(shown)}")
    one = look(browser, file.as_uri(), offline=True)
    assert (one.said, one.ran) == ([], False)
    assert "data-evil" in file.read_text()


def test_a_live_run_is_followed_to_its_end(browser, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import pathlib, time\n"
        "from etils.epath import Path\n"
        "from millrace import Dag, Examples\n"
        "def wait(out: Path, *, gate: str) -> Examples:\n"
        "    while not pathlib.Path(gate).exists():\n"
        "        time.sleep(0.05)\n"
        "    return Examples(out).write_summary({'train': 1})\n"
        "def recipe(dag: Dag, data: str | None, serving_root: Path) -> None:\n"
        "    dag.step(wait)\n"
    )
    gate, place = tmp_path / "gate", tmp_path / "root"
    line = ("run", "mine:recipe", "--set", f"wait.gate={gate}", "--root", place)
    process = started(*line, cwd=tmp_path)
    try:
        while not list(place.glob("runs/*/wait.log")):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
        with served(Root(place)) as pages:
            page = browser.new_page()
            page.goto(f"{pages.origin}/{pages.keys[0]}/runs")
            page.locator("#runs td a").first.click()
            page.locator(".status.running").first.wait_for()
            gate.touch()
            page.locator(".status.done").first.wait_for(timeout=60_000)
            page.close()
    finally:
        gate.touch()
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
