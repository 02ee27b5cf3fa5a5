"""``python -m watchkeeper.demo``: the demo services that ``docker-compose.yml`` runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.demo.alert import SERVICE, AlertNotAccepted, notification, send_alert
from watchkeeper.demo.standalone import SOURCE, SOURCE_TOKEN, serve_demo

FIRING_FOR = timedelta(minutes=2)
"""How long checkout has failed when the alert is sent."""

AGAIN = (
    "For another run, send the alert of another cluster: docker compose run --rm alert --cluster west\n"
    "To end this run, send that its alert has resolved: docker compose run --rm alert --resolve"
)

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
SECRETS = Annotated[Path, typer.Option("--secrets", metavar="DIRECTORY", help="Directory with one file per secret.")]


@app.command()
def world(
    secrets: SECRETS,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 9000,
) -> None:
    """Serve the simulated services and the scripted model until SIGTERM or SIGINT."""
    typer.echo(f"the simulated services and the scripted model are at http://{host}:{port}")
    try:
        asyncio.run(serve_demo(host, port, secrets))
    except OSError as error:
        typer.echo(f"cannot serve at {host} port {port} with the secrets in {secrets}: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def alert(
    intake: Annotated[str, typer.Argument(metavar="URL", help="URL of the intake.")],
    secrets: SECRETS,
    run_url: Annotated[str, typer.Option(help="URL of a run; {run} is replaced by its id.")] = "",
    cluster: Annotated[str, typer.Option(help="Where checkout fails. Each cluster has its own run.")] = "",
    resolve: Annotated[bool, typer.Option("--resolve", help="Send that the alert has resolved: its run ends.")] = False,
) -> None:
    """Send the alert that starts the demo's incident, or its end."""
    now = datetime.now(UTC)
    try:
        token = (secrets / SOURCE_TOKEN).read_text(encoding="utf-8")
        body = notification(now - FIRING_FOR, cluster, now if resolve else None)
        accepted = send_alert(intake.rstrip("/"), SOURCE, token, body)
    except (OSError, AlertNotAccepted) as error:
        typer.echo(f"the alert was not accepted: {error}", err=True)
        raise typer.Exit(1) from None
    run = run_url.replace("{run}", accepted.run) or accepted.run
    if resolve:
        typer.echo(f"{SERVICE} has recovered, which ends its run: {run}")
    elif accepted.outcome == "started":
        typer.echo(f"{SERVICE} is failing; watch the investigation: {run}")
    else:
        typer.echo(f"the alert adds nothing to its run: {run}\n{AGAIN}")


if __name__ == "__main__":
    app()
