"""Commands about results of others: results pack, add, list, remove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirbench.cli.help import Command
from mirbench.cli.left_out import end
from mirbench.cli.options import Plugins, RunsFolder, catalogue_of
from mirbench.cli.results import Tasks
from mirbench.errors import BadInput, UnknownName
from mirbench.plain_text import printable, say

if TYPE_CHECKING:
    from mirbench.trust.verify import Case

results_app = typer.Typer(help="Results of others, to compare with: packs of runs.", no_args_is_help=True)


@results_app.command(cls=Command, name="pack", short_help="Put records and scores into one file.")
def results_pack(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Where the pack is written: NAME.tar.xz.")],
    runs: RunsFolder = Path("runs"),
    task: Tasks = [],  # noqa: B006
    no_times: Annotated[bool, typer.Option("--no-times", help="Without seconds, speed and energy.")] = False,
) -> None:
    """Put records and scores into one file for others; models stay here."""
    from mirbench.features.temporary import written_whole
    from mirbench.places import no_folder
    from mirbench.runs.results_pack import SUFFIX, pack_runs
    from mirbench.runs.store import RunStore
    from mirbench.spelling import in_one_spelling, on_record

    if not output.name.endswith(SUFFIX):
        raise BadInput(f"{output}: a pack is called NAME{SUFFIX}")
    if not runs.is_dir():
        raise BadInput(f"--runs {runs}: {no_folder(runs)}; `mirbench run` makes one")
    left_out: list[str] = []
    held = list(RunStore(runs, left_out).records())
    asked = {in_one_spelling(on_record("task", name)): name for name in task}
    known = {in_one_spelling(record.spec.task) for _, record in held}
    for name in asked.keys() - known:
        raise UnknownName("task in these records", asked[name], known)
    chosen = [run for run in held if not task or in_one_spelling(run[1].spec.task) in asked]
    content = pack_runs(chosen, times=not no_times)
    with written_whole(output) as work:
        work.write_bytes(content)
        work.chmod(0o644)
    done = sum(record.status == "done" for _, record in chosen)
    idle = f"; {len(chosen) - done} without a result are left out" if done < len(chosen) else ""
    say(f"{output}: {done} run{'s' if done > 1 else ''}, {len(content) / 1e6:.2f} MB{idle}")
    end(left_out)


@results_app.command(cls=Command, name="add", short_help="Verify a pack of others, and show its results.")
def results_add(
    pack: Annotated[str, typer.Argument(metavar="FILE|URL", help="A pack; from the web by https.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Marks its rows. Default: the file's.")] = "",
    sha256: Annotated[str, typer.Option("--sha256", metavar="HASH", help="Of the file, where it is published.")] = "",
    allow_own: Annotated[
        bool, typer.Option("--allow-own", help="Results on own data and stand-ins too, checked for consistency alone.")
    ] = False,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Verify a pack of others as a submission, and show its results beside your own from now on."""
    import hashlib

    from mirbench.features.temporary import temporary, written_whole
    from mirbench.leaderboard.packs import require_pack_name
    from mirbench.places import default_results
    from mirbench.runs.results_pack import SUFFIX, unpack_runs

    with temporary() as work:
        path = _at_hand(pack, sha256, work)
        content = path.read_bytes()
        if sha256 and hashlib.sha256(content).hexdigest() != sha256.lower():
            raise BadInput(f"{pack}: its sha256 is {hashlib.sha256(content).hexdigest()}, not {sha256}")
        name = require_pack_name(name or path.name.removesuffix(SUFFIX))
        target = default_results() / f"{name}{SUFFIX}"
        if target.exists() and target.read_bytes() != content:
            raise BadInput(f"a pack called {name} is there; `mirbench results remove {name}`, or --name another")
        root = work / "unpacked"
        root.mkdir()
        try:
            folders = unpack_runs(content, root)
        except BadInput as error:
            raise BadInput(f"{pack}: {error}") from error
        _require_sound(pack, _verified(root, allow_own, plugin), root)
        tasks = sorted({folder.relative_to(root).parts[0] for folder in folders})
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as file:
        file.write_bytes(content)
        file.chmod(0o644)
    say(f"{name}: {len(folders)} runs of {', '.join(tasks)} hold, and stand beside yours, marked {name}")
    say("A record that holds is consistent, which is not to say true.")


@results_app.command(cls=Command, name="list", short_help="Packs that are known.")
def results_list() -> None:
    """The results of others that are known here: those that ship with mirbench, and packs that were added."""
    from mirbench.leaderboard.packs import every_pack

    for pack in every_pack():
        try:
            n_runs = sum(1 for _ in pack.opened().glob("*/*/*/record.json"))
            say(f"{pack.name}  {', '.join(pack.tasks())}: {n_runs} runs  ({pack.path})")
        except BadInput as error:
            say(f"{pack.name}  cannot be read: {printable(error, 300)}")


@results_app.command(cls=Command, name="remove", short_help="Forget a pack that was added.")
def results_remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of an added pack; see `mirbench results list`.")],
) -> None:
    """Forget a pack that was added."""
    from mirbench.leaderboard.packs import added

    packs = {pack.name: pack for pack in added()}
    if name not in packs:
        raise UnknownName("added pack", name, list(packs))
    packs[name].path.unlink()
    say(f"{name}: removed")


def _at_hand(pack: str, sha256: str, work: Path) -> Path:
    """The file of a pack, fetched if it is an address."""
    if "://" not in pack:
        path = Path(pack)
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no such file"
            raise BadInput(f"{pack}: {what}; a pack as `mirbench results pack` makes them, or its address, is needed")
        return path
    from urllib.parse import urlsplit

    from mirbench.features.download import fetch
    from mirbench.progress import Progress
    from mirbench.runs.results_pack import MOST_BYTES
    from mirbench.unverified import doubt

    if urlsplit(pack).scheme not in ("http", "https"):
        raise BadInput(f"{pack}: packs are fetched by https; fetch it yourself, and add the file")
    if why := doubt(pack, sha256 or "of what is verified below"):
        raise BadInput(f"{pack}: {why}; fetch it yourself, and add the file")
    file_name = Path(urlsplit(pack).path).name or "pack.tar.xz"
    return fetch(pack, file_name, f"sha256:{sha256}" if sha256 else "", work, Progress(), most_bytes=MOST_BYTES)


def _verified(root: Path, allow_own: bool, plugins: list[Path]) -> list[Case]:
    from mirbench.tasks.audit.statistics import committed
    from mirbench.trust.submission import Submission, lacking_members
    from mirbench.trust.verify import verify

    catalogue = catalogue_of(plugins)
    cases = verify(root, catalogue, None, Submission(catalogue, committed, None, allow_own))
    lacking_members(cases)
    return cases


def _require_sound(pack: str, cases: Sequence[Case], root: Path) -> None:
    """Refuse a pack of which a record does not hold, in one line with the first fault."""
    wrong = [case for case in cases if not case.holds]
    if wrong:
        where = wrong[0].folder.relative_to(root)
        raise BadInput(
            printable(
                f"{pack}: {len(wrong)} of its {len(cases)} records do not hold, and none is added; "
                f"the first, {where}: {wrong[0].problems[0]}",
                500,
            )
        )
