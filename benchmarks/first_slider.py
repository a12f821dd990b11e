"""From nothing to the first slider that moves: a clone, `make lab`, notebook 00 in a browser; seconds of each stage.

    python benchmarks/first_slider.py [--from ADDRESS]

ADDRESS: what is cloned (default: this checkout). `make lab` is all that it runs, with pip's cache off, so that
everything is downloaded; the browser that JupyterLab then opens is this program again: in headless Chromium it runs all
cells, presses an arrow key on the slider of 00, and waits for the other picture. For Linux. Chromium and Playwright
must be there (`make env` in this checkout), which a clone's reader does not need.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CELL = ".jp-Cell:has(.noUi-handle)"
CHANGED = f"before => {{ const image = document.querySelector('{CELL} img'); return image && image.src !== before; }}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="address", default=str(ROOT))
    parser.add_argument("--browse", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.browse:
        browse(options.browse)
        return
    begin = time.time()
    print("| done | after, s |\n|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", options.address, f"{folder}/course"], check=True)
        say("clone", begin)
        environment = os.environ | {
            "BROWSER": f"{sys.executable} {Path(__file__).resolve()} --browse %s",
            "FIRST_SLIDER": f"{begin} {os.getpid()}",
            "PIP_NO_CACHE_DIR": "1",
            "JUPYTER_RUNTIME_DIR": f"{folder}/runtime",
            "JUPYTERLAB_WORKSPACES_DIR": f"{folder}/workspaces",
        }
        lab = subprocess.Popen(
            ["make", "lab"], cwd=f"{folder}/course", env=environment, stdout=-3, stderr=-3, start_new_session=True
        )
        signal.signal(signal.SIGUSR1, lambda *_: os.killpg(lab.pid, signal.SIGTERM))  # by the browser, when it is done
        lab.wait()


def say(what: str, begin: float) -> None:
    print(f"| {what} | {time.time() - begin:.0f} |", flush=True)


def browse(url: str) -> None:
    """JupyterLab's page, by somebody who knows what to do."""
    from playwright.sync_api import sync_playwright

    begin, measuring = os.environ["FIRST_SLIDER"].split()
    done = Path(f"/proc/{measuring}/fd/1").open("a")
    sys.stdout = done  # JupyterLab hides what browsers print
    try:
        say("`make lab` opens the browser", float(begin))
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--allow-file-access-from-files"]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
            page = browser.new_page(viewport={"width": 1366, "height": 900})
            page.set_default_timeout(600_000)
            page.goto(url)
            page.locator("#jp-main-statusbar", has_text="Idle").wait_for()
            say("the notebook is there, and its kernel", float(begin))
            page.locator(".lm-MenuBar-item", has_text="Run").click()
            page.locator(".lm-Menu-item", has_text="Run All Cells").first.click()
            handle = page.locator(".noUi-handle").first
            handle.wait_for()
            handle.scroll_into_view_if_needed()
            picture = page.locator(f"{CELL} img").first
            picture.wait_for()
            before = picture.get_attribute("src")
            handle.press("ArrowRight")
            page.wait_for_function(CHANGED, arg=before)
            say("the slider has moved, and the picture", float(begin))
            browser.close()
    except Exception as error:
        print(f"it failed: {error}", flush=True)
    os.kill(int(measuring), signal.SIGUSR1)


if __name__ == "__main__":
    main()
