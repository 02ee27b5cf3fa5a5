"""``watchkeeper report``: read from the Temporal server only, written to the terminal or to a file."""

from __future__ import annotations

from pathlib import Path

from temporalio.client import Client

from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import concludes, reset, run_harness
from tests.support.program import Program
from watchkeeper.report_page.markdown_report import markdown_report
from watchkeeper.report_page.report_data import read_report_data


async def finished(client: Client) -> str:
    """A closed run without a worker."""
    async with run_harness(client, concludes("**Cause:** a deploy.")) as harness:
        run = await harness.start("Checkout fails.", service="checkout")
        await run.result()
    return run.id


async def test_a_report_needs_no_worker(client: Client, program: Program, tmp_path: Path) -> None:
    run = await finished(client)
    shown = await program("report", run)
    assert shown.code == 0, shown.err
    assert shown.out.startswith("# Checkout fails.\n\n**Concluded** after ")
    assert "> **Cause:** a deploy." in shown.out
    assert "### ✓ r1.0 look" in shown.out
    page = await program("report", run, "--html", "-o", "report.html")
    assert page.out.startswith("report.html: ")
    assert (tmp_path / "report.html").read_text().startswith('<!doctype html>\n<html lang="en">')


async def test_a_report_links_to_the_configured_url_of_the_run(
    client: Client, program: Program, tmp_path: Path
) -> None:
    run = await finished(client)
    (tmp_path / "watchkeeper.toml").write_text('[reports]\nrun_url = "https://ui.example/w/{run}/{run_id}"\n')
    shown = await program("report", run, "--html")
    assert f'href="https://ui.example/w/{run}/' in shown.out
    assert f"[Open the run](<https://ui.example/w/{run}/" in (await program("report", run, "--md")).out


async def test_a_report_of_a_reset_run_has_each_alert_and_call_once(client: Client) -> None:
    script = concludes("**Cause:** a deploy.", "**Cause:** a cron job.")
    async with run_harness(client, script) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await until_reported(run)
        again = await reset(client, run, before="r2")
        await sender.resolve()
        await again.result()
        data = await read_report_data(client, run.id)
    assert [(firing.fingerprint, firing.end is None) for firing in data.firings] == [("HighErrorRate", False)]
    page = markdown_report(data, None)
    assert page.count("### ✓ r1.0 look") == 1
    assert "a cron job" in page and "a deploy" not in page


async def test_errors_are_one_sentence(client: Client, program: Program) -> None:
    unknown = await program("report", "incident-never")
    assert unknown.code == 1
    assert "no run" in unknown.sentence()
    nowhere = await program("report", await finished(client), "-o", "no/such/report.md")
    assert nowhere.code == 1
    assert "no/such/report.md" in nowhere.sentence()
