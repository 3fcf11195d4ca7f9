"""``bec ldv1 preview``. What is heavy to import (OpenCV, torch) is imported when the command runs."""

from __future__ import annotations

from pathlib import Path

import click

from bec_ldv1.printing import say


@click.command()
@click.argument("page", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--model-path",
    type=click.Path(path_type=Path),
    help="A checkpoint. Default: the model in the package.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The picture to write. [default: PAGE's name with -lines.png, in the current folder]",
)
def preview(page: Path, model_path: Path | None, out: Path | None) -> None:
    """Detect the lines of one PAGE image and write a PNG with the lines drawn over it.

    \b
    Example:
      bec ldv1 preview scans/0001.jpg
    """
    from bec_ldv1.errors import CheckpointError, PageProblem
    from bec_ldv1.output.preview import preview as look
    from bec_ldv1.output.preview import save

    out = out or Path(f"{page.stem}-lines.png")
    try:
        found = look(page, model_path=model_path)
        save(found.picture, out)
    except PageProblem as error:
        raise click.ClickException(f"{page} can't be processed: {error}") from error
    except (CheckpointError, OSError) as error:
        raise click.ClickException(str(error)) from error
    say(found.summary())
    say(out)
