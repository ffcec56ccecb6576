"""``parsimony adapt`` for ratings: a new user's few ratings in, predictions of others out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parsimony.cli.frame import Output

__all__ = ["adapt_ratings"]


def adapt_ratings(
    output: Output, estimator: Any, support: Path, predict: Path, top: int, out: Path | None
) -> None:
    """Read both tables (item and rating; item), predict, print and write.

    Raises
    ------
    DataError
        A missing column, a rating that is no number, an item that the data do not hold.
    """
    from parsimony.cli.frame import interruptible
    from parsimony.cli.tables import table
    from parsimony.ratings.table import read_items, read_ratings

    _, items, ratings = read_ratings(support, ("item", "rating"), empty=True)
    with interruptible():
        given = dict(zip(items, ratings, strict=True))
        result = estimator.adapt(given, read_items(predict))
    if out is not None:
        _write(result["predictions"], out)
        output.note(f"written: {out}")
    rows = [
        [p["item"], p["rating"], "" if p["known"] is None else p["known"]]
        for p in result["predictions"]
    ]
    output.result(
        result,
        f"{estimator.method}: adapted to {len(given)} ratings, {result['seconds']:.2f} s",
        table(["item", "rating", "rated by the user"], rows[:top]),
        *(
            [f"… and {len(rows) - top:,} more (all with --json or --out)"]
            if len(rows) > top
            else []
        ),
        *result["notes"],
    )


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    import io

    import polars as pl

    from parsimony.run.atomic import write_atomic

    schema = {"item": pl.String, "rating": pl.Float64, "known": pl.Float64}
    frame, content = pl.DataFrame(rows, schema=schema), io.BytesIO()
    if path.suffix.lower() in (".parquet", ".pq"):
        frame.write_parquet(content)
    else:
        frame.write_csv(content, separator="\t" if path.suffix.lower() == ".tsv" else ",")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content.getvalue())
