"""What an error advises is done, and then it works.

Each row of the table causes an error through the real command line (or the Python interface, where
only that reaches it), finds the advice in the error, follows it, and types what it says to type.
The last test reads the sources: advice that names a command, an option, a variable or a file to
edit has a row here, or a reason why it cannot be tried everywhere.
"""

from __future__ import annotations

import ast
import functools
import http.server
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import pytest
from typer.testing import CliRunner

import parsimony
from parsimony.cli import app
from parsimony.errors import ParsimonyError
from parsimony.run.lock import FolderLock

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "parsimony"
OLD = ROOT / "tests" / "fixtures" / "runs_0_1"
sys.path.insert(0, str(ROOT / "benchmarks"))
from small_data import write_cyp_part, write_molecules, write_ratings, write_royal_part  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the table is written for a POSIX shell"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

VECTORS = "--method distmult --set dim=8 --set batch=128 --set threads=1 --epochs 1"
WALK = "--method redgnn --set dim=4 --set n_layers=2 --set batch=50 --set threads=1"
EMERGNN = "--method emergnn --set dim=2 --set batch=64 --set hidden=2 --set threads=1 --epochs 1"
MEANS = "--method means --set support=6"
SHOTS = "--method tanimoto --set shots=[2] --set episodes=2"
PAR = "--set layers=1 --set width=4 --set steps=2 --set every=2 --set dim=4 --set edge_dim=4"
FOUND = "--set dim=8 --set epochs=1 --set threads=1 --set per_round=2 --trials 2 --compare 0"
FILMS = "--set support=6 --set epochs=1 --set dim=4 --set hidden=[4,4,4] --set context=4"
ADAPT = "--support $DATA/support.csv --predict $DATA/asked.csv"
QUEEN = "--head 'Victoria, Queen of the United Kingdom' --relation mother"


@dataclass(frozen=True)
class Row:
    """One remedy: where it stands, its words, what causes it, and what follows it.

    Attributes
    ----------
    at
        The source, below ``src/parsimony``.
    says
        Words of the remedy, as the user reads them.
    cause
        Words after ``parsimony`` that end in the error; ``py:`` begins an expression of Python.
    then
        What is typed on the advice; several lines are several ways, each of which works.
    before
        Shell lines that write the input.
    mend
        Shell lines that edit the files as the remedy says.
    as_written
        Words of the remedy in the source, where fields stand between those of ``says``.
    reaches
        Where the next step is another error: words of it.
    """

    at: str
    says: str
    cause: str
    then: str
    before: str = ""
    mend: str = ""
    as_written: str = ""
    reaches: str = ""


ROWS = [
    # ---- words of a command ------------------------------------------------------------------
    Row(
        "cli/options.py",
        "--set dim=32",
        f"fit $DATA/facts {VECTORS} --set dim",
        f"fit $DATA/facts {VECTORS} --set dim=32",
    ),
    Row(
        "cli/options.py",
        "parsimony methods NAME says what dim takes",
        f"fit $DATA/facts {VECTORS} --set dim=1{'0' * 6000}",
        "methods distmult",
        as_written="parsimony methods NAME says what",
    ),
    Row(
        "cli/options.py",
        "--columns subject,predicate,object",
        "audit $DATA/named.csv --columns a,b",
        "audit $DATA/named.csv --columns subject,predicate,object",
    ),
    Row(
        "cli/options.py",
        "parsimony fit DATA --out RUN",
        "evaluate $TMP/xyz",
        f"fit $DATA/facts {VECTORS} --out xyz\nevaluate xyz",
    ),
    Row(
        "cli/options.py",
        "did you mean 'redgnn'?",
        "evaluate $OLD/regdnn",
        "evaluate $OLD/redgnn",
        as_written="{}",
    ),
    Row(
        "cli/options.py",
        "parsimony ddi predict, ddi screen and explain",
        "predict $OLD/neighbours --head D1 --relation 1",
        "ddi predict $OLD/neighbours --drug $A --drug $B\nddi screen $OLD/neighbours --drug $A\n"
        "explain $OLD/emergnn --head $A --tail $B",
        as_written="use {",
    ),
    Row(
        "cli/options.py",
        "parsimony predict, explain, rules and report",
        "ddi predict $OLD/redgnn --drug a --drug b",
        "predict $OLD/redgnn --head $HEAD --relation $REL\n"
        "explain $OLD/redgnn --head $HEAD --relation $REL --tail $TAIL\nrules $OLD/redgnn\n"
        "report run",
        before="cp -r $OLD/redgnn run",
        as_written="use {",
    ),
    Row(
        "cli/options.py",
        "parsimony adapt and evaluate",
        "predict $OLD/means --head a --relation b",
        "adapt $OLD/means --support $OLD/ratings_support.csv --predict $OLD/ratings_asked.csv\n"
        "evaluate $OLD/means",
        as_written="use {",
    ),
    Row(
        "cli/options.py",
        "parsimony adapt",
        "predict $OLD/par --head a --relation b",
        f"adapt $OLD/par {ADAPT}",
        as_written="use {",
    ),
    Row(
        "cli/datasets.py",
        "parsimony datasets show royal",
        "datasets list royal",
        "datasets show royal",
        as_written="parsimony datasets",
    ),
    Row(
        "cli/datasets.py",
        "parsimony datasets get NAME",
        "datasets get",
        "datasets get royal",
        as_written="parsimony datasets",
    ),
    Row(
        "cli/predict.py",
        "--head H --relation R, or --tail T --relation R",
        "predict $OLD/redgnn",
        "predict $OLD/redgnn --head $HEAD --relation $REL\n"
        "predict $OLD/redgnn --tail $TAIL --relation $REL",
    ),
    Row(
        "cli/predict.py",
        "give --relation R",
        "predict $OLD/redgnn --head $HEAD",
        "predict $OLD/redgnn --head $HEAD --relation $REL",
    ),
    Row(
        "cli/predict.py",
        "parsimony predict RUN --queries FILE --out FILE.parquet",
        "predict $OLD/redgnn --queries q.tsv",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        before=r"printf '%s\t%s\t?\n' $HEAD $REL > q.tsv",
    ),
    Row(
        "cli/predict.py",
        "parsimony predict RUN --queries FILE --out FILE.parquet",
        "predict $OLD/redgnn --out a.parquet",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        before=r"printf '%s\t%s\t?\n' $HEAD $REL > q.tsv",
    ),
    Row(
        "cli/predict.py",
        "one entity name per line",
        "predict $OLD/redgnn --head $HEAD --relation $REL --candidates c.txt",
        "predict $OLD/redgnn --head $HEAD --relation $REL --candidates c.txt",
        before="printf '\\n' > c.txt",
        mend="printf '%s\\n' $TAIL > c.txt",
    ),
    Row(
        "cli/batch.py",
        "one per line: head, relation, ?",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        before=": > q.tsv",
        mend=r"printf '%s\t%s\t?\n' $HEAD $REL > q.tsv",
        as_written="one per line: head, relation",
    ),
    Row(
        "cli/batch.py",
        "write ? for the head or for the tail",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        before=r"printf '%s\t%s\t%s\n' $HEAD $REL $TAIL > q.tsv",
        mend=r"printf '%s\t%s\t?\n' $HEAD $REL > q.tsv",
        as_written="for the head or for the tail",
    ),
    Row(
        "cli/batch.py",
        "choose another --out, or remove it",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        "predict $OLD/redgnn --queries q.tsv --out b.parquet\n"
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        before=r"printf '%s\t%s\t?\n' $HEAD $REL > q.tsv; : > a.parquet",
        mend="rm a.parquet",
    ),
    Row(
        "cli/batch.py",
        "repeat the first command, choose another --out, or remove the folder",
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        "predict $OLD/redgnn --queries q.tsv --out b.parquet\n"
        "predict $OLD/redgnn --queries q.tsv --out a.parquet",
        before=r"printf '%s\t%s\t?\n' $HEAD $REL > q.tsv; mkdir a.parquet.parts; "
        'echo \'{"queries": "x"}\' > a.parquet.parts/batch.json',
        mend="rm -r a.parquet.parts",
    ),
    Row(
        "cli/export.py",
        "--out v.parquet",
        "export $OLD/complex --out v.csv",
        "export $OLD/complex --out v.parquet",
        as_written="--out {",
    ),
    Row(
        "cli/export.py",
        "export a run of bilinear, complex, distmult",
        "export $OLD/redgnn --out v.parquet",
        "export $OLD/complex --out v.parquet",
    ),
    Row(
        "cli/rules.py",
        "--out r.txt",
        "rules $OLD/rules --out r.csv --format amie",
        "rules $OLD/rules --out r.txt --format amie",
        as_written="--out {",
    ),
    Row(
        "cli/rules.py",
        "parsimony fit DATA --method rules --set max_length=",
        "rules $OLD/rules --max-length 1",
        "fit $DATA/facts --method rules --set max_length=1 --out one\nrules one",
    ),
    Row(
        "cli/rules.py",
        "parsimony export writes the vectors; a symbol is in knowledge.toml",
        "rules $OLD/complex",
        f"export $OLD/complex --out v.parquet\nfit $DATA/facts --method bilinear {VECTORS[18:]} "
        "--symbol $OLD/complex/knowledge.toml",
    ),
    Row(
        "cli/table_files.py",
        "--out p.parquet or --out p.csv",
        "ddi screen $OLD/neighbours --drug $A --out p.xlsx",
        "ddi screen $OLD/neighbours --drug $A --out p.parquet\n"
        "ddi screen $OLD/neighbours --drug $A --out p.csv",
        as_written="or --out",
    ),
    Row(
        "cli/fit.py",
        "--method bilinear, or leave it out",
        f"fit $DATA/facts {VECTORS} --symbol ComplEx",
        f"fit $DATA/facts --method bilinear {VECTORS[18:]} --symbol ComplEx\n"
        f"fit $DATA/facts {VECTORS} --out another",
    ),
    Row(
        "cli/fit.py",
        "--method coldnas, or leave it out",
        f"fit $DATA/ratings.csv {MEANS} --formula FiLM",
        f"fit $DATA/ratings.csv --method coldnas {FILMS} --formula FiLM\n"
        f"fit $DATA/ratings.csv {MEANS}",
    ),
    Row(
        "cli/fit.py",
        "give a file or a name",
        f"fit $DATA/facts --method bilinear {VECTORS[18:]} --symbol s.toml",
        f"fit $DATA/facts --method bilinear {VECTORS[18:]} --symbol DistMult",
    ),
    Row(
        "cli/pretrain.py",
        "parsimony pretrain molecules",
        "pretrain xyz",
        "pretrain molecules --epochs 1 --set layers=1 --set width=4 --mirror $DATA/mirror --out enc",
    ),
    Row(
        "cli/audit.py",
        "--task link reads it as facts",
        "audit $DATA/ratings.csv",
        "audit $DATA/ratings.csv --task link",
    ),
    Row("cli/audit.py", "leave it out", "audit $DATA/pairs --columns a,b,c", "audit $DATA/pairs"),
    Row(
        "cli/adapt.py",
        "--bad-smiles skip",
        f"adapt $OLD/par {ADAPT} --bad-smiles drop",
        f"adapt $OLD/par {ADAPT} --bad-smiles skip",
    ),
    Row(
        "cli/ddi.py",
        "--drug warfarin --drug aspirin",
        "ddi predict $OLD/neighbours --drug $A",
        "ddi predict $OLD/neighbours --drug $A --drug $B",
    ),
    Row(
        "cli/ddi.py",
        "use them for ranking; parsimony evaluate measures that",
        "ddi calibrate $RUNS/labels",
        "evaluate $RUNS/labels",
    ),
    Row(
        "cli/ddi.py",
        "query it with parsimony ddi predict",
        "ddi calibrate $RUNS/pairs",
        "ddi predict $RUNS/pairs --drug $A --drug $B",
    ),
    Row(
        "cli/ddi.py",
        "leave --html out",
        "ddi add-drug $RUNS/pairs --file new.toml --html page.html",
        "ddi add-drug $RUNS/pairs --file new.toml",
        before='printf \'name = "N1"\\nsmiles = "CCO"\\n\' > new.toml',
    ),
    Row(
        "cli/ddi.py",
        "choose another",
        "ddi add-drug $RUNS/pairs --file new.toml --save $RUNS/pairs",
        "ddi add-drug $RUNS/pairs --file new.toml --save two",
        before='printf \'name = "N1"\\nsmiles = "CCO"\\n\' > new.toml',
    ),
    # ---- which task, which columns -----------------------------------------------------------
    Row(
        "problems.py",
        "parsimony fit a.csv --task coldstart or parsimony fit a.csv --task link",
        "fit a.csv",
        f"fit a.csv --task link {VECTORS}\nfit a.csv --task coldstart {MEANS}",
        before="sed 1d $DATA/ratings.csv > a.csv",
        as_written=" --task ",
    ),
    Row(
        "problems.py",
        "--task link reads them as facts; for ratings use parsimony adapt",
        "rules $DATA/ratings.csv",
        "rules $DATA/ratings.csv --task link",
        as_written="reads them as",
    ),
    Row(
        "problems.py",
        "leave it out, or --task link",
        "rules $DATA/facts --task ddi",
        "rules $DATA/facts\nrules $DATA/facts --task link",
        as_written="leave it out, or --task",
    ),
    Row(
        "problems.py",
        "--method redgnn",
        f"fit $DATA/facts --method neighbours",
        f"fit $DATA/facts {WALK} --epochs 1",
        as_written="--method {",
    ),
    Row(
        "problems.py",
        "--task link to read them as facts",
        f"fit $DATA/ratings.csv {VECTORS}",
        f"fit $DATA/ratings.csv {MEANS}\nfit $DATA/ratings.csv --task link {VECTORS} --out two",
        as_written="to read them as",
    ),
    Row(
        "problems.py",
        "give one file with all rows, or --task link",
        "fit both",
        f"fit $DATA/ratings.csv {MEANS}\nfit both --task link {VECTORS}",
        before="mkdir both; for s in train valid test; do cp $DATA/ratings.csv both/$s.csv; done",
    ),
    Row(
        "problems.py",
        "leave it out",
        f"fit $DATA/pairs --method prior --columns a,b,c",
        "fit $DATA/pairs --method prior",
    ),
    Row(
        "problems.py",
        "did you mean 'columns'?",
        "py:parsimony.load('$DATA/named.csv', colums=(1, 2, 3))",
        "py:parsimony.load('$DATA/named.csv', columns=('subject', 'predicate', 'object'))",
        as_written="{}",
    ),
    Row(
        "link/column_order.py",
        "--columns 1,2,3 for the first, --columns 1,3,2 for the other",
        f"fit n.txt {VECTORS}",
        f"fit n.txt --columns 1,2,3 {VECTORS} --out a\nfit n.txt --columns 1,3,2 {VECTORS} --out b",
        before="cp $DATA/nations.txt n.txt",
        as_written="for the first, --columns",
    ),
    Row(
        "ratings/columns.py",
        "name user, item and rating by --columns; found: a, b, c",
        f"fit r.csv --task coldstart --columns a,b,zzz {MEANS}",
        f"fit r.csv --columns a,b,c {MEANS}",
        before="sed '1s/.*/a,b,c/' $DATA/ratings.csv > r.csv",
        as_written="by --columns",
    ),
    Row(
        "ddi/folder.py",
        "read the file as facts: --task link",
        "fit $DATA/pairs/train.txt --task ddi",
        f"fit $DATA/pairs/train.txt --task link {VECTORS}",
    ),
    Row(
        "ddi/folder.py",
        "split=first | split=second (--set split=",
        "fit two --method prior",
        "fit two --method prior --set split=first\nfit two --method prior --set split=second",
        before="mkdir two; cp $DATA/pairs/*.tsv two; for s in first second; do mkdir two/$s; "
        "cp $DATA/pairs/*.txt two/$s; done",
        as_written="(--set split=",
    ),
    # ---- options of the task and of the method -----------------------------------------------
    Row(
        "link/folder.py",
        "complete the file, or give a single file to have it split",
        "fit f --method rules",
        "fit g --method rules\nfit f/train.txt --method rules --out b",
        before="cp -r $DATA/facts f; : > f/valid.txt",
        mend="cp -r f g; cp $DATA/facts/valid.txt g",
    ),
    Row(
        "link/task.py",
        "for example protocol='redgnn'",
        "py:parsimony.LinkTask(parsimony.load('$DATA/facts'), 'grael')",
        "py:parsimony.LinkTask(parsimony.load('$DATA/facts'), protocol='redgnn')",
    ),
    Row(
        "link/reasoning/reasoner.py",
        "fill valid.txt, or --set protocol=grail",
        "py:parsimony.RedGNN(dim=4, n_layers=2, epochs=1, threads=1).fit(unvalidated('redgnn'))",
        "py:parsimony.RedGNN(dim=4, n_layers=2, epochs=1, threads=1).fit(unvalidated('grail'))",
    ),
    Row(
        "ddi/task.py",
        "it has train, valid_S1, test_S1; --set setting=",
        "fit s1 --method prior --set setting=S2",
        "fit s1 --method prior --set setting=S1",
        before="cp -r $DATA/pairs s1; rm s1/*_S0.txt s1/*_S2.txt",
        as_written="--set setting=",
    ),
    Row(
        "ddi/estimator.py",
        "--split test",
        "evaluate $OLD/neighbours --split train",
        "evaluate $OLD/neighbours --split test",
    ),
    Row(
        "ddi/estimator.py",
        "--method neighbours, mlp, emergnn or prior",
        "fit $DATA/labels --method walks",
        "fit $DATA/labels --method neighbours --out a\nfit $DATA/labels --method prior --out b\n"
        "fit $DATA/labels --method mlp --set hidden=2 --epochs 1 --out c\n"
        f"fit $DATA/labels {EMERGNN} --out d",
    ),
    Row(
        "ddi/screening.py",
        "leave --drop-known out",
        "ddi screen $RUNS/known --drug a --drop-known",
        "ddi screen $RUNS/known --drug a",
    ),
    Row(
        "ddi/add_drug.py",
        "ask it with parsimony ddi screen, or give the new drug another name",
        "ddi add-drug $RUNS/pairs --file new.toml",
        "ddi screen $RUNS/pairs --drug $A\nddi add-drug $RUNS/pairs --file new.toml",
        before='printf \'name = "%s"\\nsmiles = "CCO"\\n\' $A > new.toml',
        mend="sed -i.bak 's/^name.*/name = \"N1\"/' new.toml",
    ),
    Row(
        "ddi/add_drug.py",
        "--set embedding=false",
        "ddi add-drug vectors --file new.toml",
        f"fit $DATA/pairs {EMERGNN} --set setting=S1 --out one\nddi add-drug one --file new.toml\n"
        f"fit $DATA/pairs {EMERGNN} --set setting=S0 --set embedding=false "
        "--set drug_vectors=false --out two\nddi add-drug two --file new.toml",
        before='printf \'name = "N1"\\nsmiles = "CCO"\\n\' > new.toml; '
        f"parsimony fit $DATA/pairs {EMERGNN} --set setting=S0 --set embedding=true --out vectors"
        " --quiet",
        as_written="=false",
    ),
    Row(
        "molecules/estimator.py",
        "--split test",
        "evaluate $OLD/par --split train",
        "evaluate $OLD/par --split test",
    ),
    Row(
        "molecules/estimator.py",
        "parsimony adapt RUN --support FILE --predict FILE --html FILE",
        "explain $OLD/par --head a --relation b --tail c",
        f"adapt $OLD/par {ADAPT} --html page.html",
    ),
    Row(
        "report/molecules.py",
        "parsimony adapt RUN --support FILE --predict FILE --html FILE",
        "report run",
        f"adapt run {ADAPT} --html page.html",
        before="cp -r $OLD/par run",
    ),
    Row(
        "molecules/table.py",
        "leave such rows out with --set bad_smiles=skip",
        f"fit bad.csv {SHOTS} --set bad_smiles=refuse",
        f"fit bad.csv {SHOTS} --set bad_smiles=skip",
        before="sed '2s/^[^,]*/C1CC/' $DATA/molecules/chains.csv > bad.csv",
    ),
    Row(
        "molecules/user_tables.py",
        "leave such rows out with --bad-smiles skip",
        "adapt $OLD/par --support $DATA/support.csv --predict bad.csv",
        "adapt $OLD/par --support $DATA/support.csv --predict bad.csv --bad-smiles skip",
        before="sed '2s/.*/C1CC/' $DATA/asked.csv > bad.csv",
    ),
    Row(
        "molecules/task.py",
        "--set valid_tasks=N with a smaller N",
        f"fit $DATA/molecules {SHOTS} --set valid_tasks=9",
        f"fit $DATA/molecules {SHOTS} --set valid_tasks=2",
    ),
    Row(
        "molecules/task.py",
        "--set unseen=0.2, or leave it out",
        f"fit $DATA/molecules {SHOTS} --set unseen=0.0001",
        f"fit $DATA/molecules {SHOTS} --set unseen=0.2 --out a\nfit $DATA/molecules {SHOTS} --out b",
    ),
    Row(
        "molecules/task.py",
        "--set shots=N with a smaller N",
        "fit $DATA/molecules --method tanimoto --set shots=500",
        "fit $DATA/molecules --method tanimoto --set shots=2",
    ),
    Row(
        "molecules/episodes.py",
        "--set shots=N with a smaller N",
        f"fit m.csv --method par --set encoder=random --set shots=2 --set valid_tasks=1 {PAR}",
        f"fit m.csv --method par --set encoder=random --set shots=1 --set valid_tasks=1 {PAR} "
        "--out a",
        before='awk -F, \'NR == 1 { print "smiles,A,B,C" } NR > 1 { print $1 "," (NR < 4) '
        '"," (NR < 4) "," (NR % 2) }\' $DATA/molecules/chains.csv > m.csv; '
        'echo \'{"train_tasks": ["A", "B"], "test_tasks": ["C"]}\' > task_splits.json',
    ),
    Row(
        "molecules/meta/pacia.py",
        "--set modulated=1",
        "fit $DATA/molecules --method pacia --set encoder=random --set layers=1 --set width=4 "
        "--set modulated=2 --set steps=2 --set shots=2",
        "fit $DATA/molecules --method pacia --set encoder=random --set layers=1 --set width=4 "
        "--set modulated=1 --set steps=2 --set shots=2 --out a",
        as_written="--set modulated=",
    ),
    Row(
        "molecules/encoder/pretraining.py",
        "parsimony pretrain molecules",
        f"fit $DATA/molecules --method par --set encoder=$OLD/means {PAR} --set shots=2",
        "pretrain molecules --epochs 1 --set layers=1 --set width=4 --mirror $DATA/mirror --out enc\n"
        f"fit $DATA/molecules --method par --set encoder=enc {PAR} --set shots=2 --out a",
    ),
    Row(
        "ratings/estimator.py",
        "--split test",
        "evaluate $OLD/means --split train",
        "evaluate $OLD/means --split test",
    ),
    Row(
        "ratings/scale.py",
        "--set scale=0,5",
        f"fit r.csv {MEANS} --set scale=1,5",
        f"fit r.csv {MEANS} --set scale=0,5",
        before="sed '2s/.$/0/' $DATA/ratings.csv > r.csv",
        as_written="mend it, or state",
    ),
    Row(
        "ratings/scale.py",
        "--set scale=LOW,HIGH",
        f"fit r.csv {MEANS}",
        f"fit r.csv {MEANS} --set scale=1,5",
        before="sed 's/,[0-9]*$/,3/' $DATA/ratings.csv > r.csv",
    ),
    Row(
        "ratings/estimator.py",
        "--set scale=1,9",
        "adapt $OLD/means --support s.csv --predict $OLD/ratings_asked.csv",
        f"fit $DATA/ratings.csv {MEANS} --set scale=1,9 --out wide\n"
        "adapt wide --support s.csv --predict $OLD/ratings_asked.csv",
        before="tr -d '\\r' < $OLD/ratings_support.csv | sed '2s/.$/9/' > s.csv",
        as_written="train again with",
    ),
    # ---- the run folder ----------------------------------------------------------------------
    Row(
        "run/folder.py",
        "choose another --out, or continue it with --resume",
        f"fit $DATA/facts {VECTORS} --out run",
        f"fit $DATA/facts {VECTORS} --out another\nfit $DATA/facts {VECTORS} --out run --resume",
        before=f"parsimony fit $DATA/facts {VECTORS} --out run --quiet",
    ),
    Row(
        "run/folder.py",
        "choose another --out",
        f"fit $DATA/facts {VECTORS} --out run",
        f"fit $DATA/facts {VECTORS} --out another",
        before="mkdir run; : > run/notes.txt",
    ),
    Row(
        "run/folder.py",
        "choose another --out",
        f"fit $DATA/facts {VECTORS} --out run --resume",
        f"fit $DATA/facts {VECTORS} --out another",
        before="mkdir run; : > run/notes.txt",
    ),
    Row(
        "run/folder.py",
        "choose another --out",
        f"fit $DATA/facts {VECTORS} --out run",
        f"fit $DATA/facts {VECTORS} --out another",
        before=": > run",
    ),
    Row(
        "run/folder.py",
        "give the --out folder of `parsimony fit`",
        "evaluate run/data",
        "evaluate run",
        before="cp -r $OLD/redgnn run",
    ),
    Row(
        "run/folder.py",
        "finish it with `parsimony fit … --resume`",
        "evaluate run",
        f"fit royal {WALK} --epochs 4 --out run --resume\nevaluate run",
        before="cp -r $OLD/unfinished-redgnn run; rm -rf run/checkpoints",
    ),
    Row(
        "run/folder.py",
        "repeat the first command with --resume, or choose another --out",
        f"fit $DATA/facts {VECTORS} --set lr=0.01 --out run --resume",
        f"fit $DATA/facts {VECTORS} --out run --resume\n"
        f"fit $DATA/facts {VECTORS} --set lr=0.01 --out another",
        before=f"parsimony fit $DATA/facts {VECTORS} --out run --quiet",
    ),
    Row(
        "run/folder.py",
        "rename the file or folder",
        f"fit x$BAD {VECTORS} --out run",
        f"fit x {VECTORS} --out run",
        before="cp -r $DATA/facts x$BAD",
        mend="mv x$BAD x",
    ),
    Row(
        "run/checkpoints.py",
        "remove run/checkpoints to start afresh",
        f"fit royal {WALK} --epochs 4 --out run --resume",
        f"fit royal {WALK} --epochs 4 --out run --resume",
        before="cp -r $OLD/unfinished-redgnn run; for f in run/checkpoints/*; do echo x > $f; done",
        mend="rm -r run/checkpoints",
        as_written="to start afresh",
    ),
    Row(
        "training/trainer.py",
        "remove the folder checkpoints to train afresh, or choose another --out",
        "fit cyp --method emergnn --set dim=2 --set batch=64 --set threads=1 --set form=published "
        "--epochs 4 --out run --resume",
        "",
        before="cp -r $OLD/unfinished-emergnn run",
        mend="rm -r run/checkpoints",
    ),
    Row(
        "training/trainer.py",
        "train afresh, in another --out, with a lower --set lr=",
        f"fit $DATA/ratings.csv --method coldnas {FILMS} --epochs 2 --set lr=1e30 --out run",
        f"fit $DATA/ratings.csv --method coldnas {FILMS} --epochs 2 --set lr=0.003 --out another",
    ),
    Row(
        "metrics/guard.py",
        "train afresh, in another --out, with a lower --set lr=",
        "fit $DATA/molecules --method multitask --set hidden=3 --set shots=2 --epochs 1 "
        "--set lr=1e30 --out run",
        "fit $DATA/molecules --method multitask --set hidden=3 --set shots=2 --epochs 1 "
        "--set lr=0.002 --out another",
    ),
    Row(
        "run/lock.py",
        "remove it if you trust the folder, or choose another --out",
        f"fit $DATA/facts {VECTORS} --out run",
        f"fit $DATA/facts {VECTORS} --out another\nfit $DATA/facts {VECTORS} --out run",
        before="mkdir run; ln -s /etc/hostname run/.lock",
        mend="rm run/.lock",
    ),
    Row(
        "pipeline.py",
        "read it with parsimony.load_run, or choose another --out",
        "fit $DATA/facts --method rules --out run --resume",
        "py:parsimony.load_run('run').evaluate('test')\nfit $DATA/facts --method rules --out two",
        before="parsimony py:parsimony.RuleReasoner(seed=0).fit("
        "parsimony.open_task('link', '$DATA/facts')).save('run')",
    ),
    Row(
        "run/duration.py",
        "write 20m, 1h30m or 90s",
        f"fit $DATA/facts {VECTORS} --time-budget soon",
        f"fit $DATA/facts {VECTORS} --time-budget 20m --out a\n"
        f"fit $DATA/facts {VECTORS} --time-budget 1h30m --out b\n"
        f"fit $DATA/facts {VECTORS} --time-budget 90s --out c",
    ),
    Row(
        "base/estimator.py",
        "use device cpu",
        f"fit $DATA/facts {WALK} --epochs 1 --device cuda",
        f"fit $DATA/facts {WALK} --epochs 1 --device cpu",
    ),
    # ---- searches ----------------------------------------------------------------------------
    Row(
        "search/ladder.py",
        "give dimension and epochs alone: --set ladder=[[64,5],[128,20]]",
        f"search $DATA/ratings.csv {FILMS} --trials 2 --set ladder=[[4,1,0.5]]",
        f"search $DATA/ratings.csv {FILMS} --trials 2 --compare 0 --set ladder=[[4,1],[4,2]]",
    ),
    Row(
        "search/ladder.py",
        "--set ladder=[[64,5,0.3],[64,5],[128,20]]",
        f"search $DATA/facts {FOUND} --set ladder=[[8]]",
        f"search $DATA/facts {FOUND} --set ladder=[[8,1,0.9],[8,2]] --out a",
    ),
    Row(
        "search/request.py",
        "use parsimony fit --symbol",
        f"search $DATA/facts {FOUND} --set symbol=DistMult",
        f"fit $DATA/facts --method bilinear {VECTORS[18:]} --symbol DistMult",
        as_written="parsimony fit --",
    ),
    Row(
        "search/request.py",
        "use parsimony fit --formula",
        f"search $DATA/ratings.csv {FILMS} --trials 2 --set formula=FiLM",
        f"fit $DATA/ratings.csv --method coldnas {FILMS} --formula FiLM",
        as_written="parsimony fit --",
    ),
    Row(
        "search/settings.py",
        "such as --trials 30 or --time-budget 20m",
        f"search $DATA/facts {FOUND} --trials 0",
        f"search $DATA/facts {FOUND} --trials 3 --out a\n"
        f"search $DATA/facts {FOUND} --time-budget 20m --out b",
    ),
    Row(
        "search/settings.py",
        "give --trials 30 or --time-budget 20m",
        "py:__import__('parsimony.search.settings', fromlist=['Budget']).Budget()",
        f"search $DATA/facts {FOUND} --trials 3 --out a",
    ),
    Row(
        "search/structure_search.py",
        "choose another --out, or continue it with --resume",
        f"search $DATA/facts {FOUND} --out run",
        f"search $DATA/facts {FOUND} --out another\nsearch $DATA/facts {FOUND} --out run --resume",
        before=f"parsimony search $DATA/facts {FOUND} --out run --quiet",
        as_written=", or continue it with --resume",
    ),
    Row(
        "search/structure_search.py",
        "choose another --out",
        f"search $DATA/facts {FOUND} --out run --resume",
        f"search $DATA/facts {FOUND} --out another",
        before=f"parsimony fit $DATA/facts {VECTORS} --out run --quiet",
    ),
    Row(
        "search/trials.py",
        "repeat the first command with --resume, or choose another --out",
        f"search $DATA/facts {FOUND} --set lr=0.01 --out run --resume",
        f"search $DATA/facts {FOUND} --out run --resume\n"
        f"search $DATA/facts {FOUND} --set lr=0.01 --out another",
        before=f"parsimony search $DATA/facts {FOUND} --out run --quiet",
    ),
    Row(
        "search/trials.py",
        "restore the file, or remove the line: its trial is run again",
        f"search $DATA/facts {FOUND} --out run --resume",
        f"search $DATA/facts {FOUND} --out run --resume",
        before=f"parsimony search $DATA/facts {FOUND} --out run --quiet; "
        "sed -i.bak '2s/.*/nonsense/' run/search/trials.jsonl",
        mend="sed -i.bak 2d run/search/trials.jsonl",
    ),
    Row(
        "search/symbol_space.py",
        "--set max_size=7 or less",
        f"search $DATA/facts {FOUND} --trials 9 --algorithm exhaustive --set max_size=9",
        f"search $DATA/facts {FOUND} --trials 9 --algorithm exhaustive --set max_size=7 --out a",
        as_written="--set max_size=",
    ),
    Row(
        "search/loop.py",
        "lower the learning rate (--set lr=",
        f"search $DATA/ratings.csv {FILMS} --trials 2 --set lr=1e30 --out run",
        f"search $DATA/ratings.csv {FILMS} --trials 2 --compare 0 --set lr=0.003 --out another",
    ),
    Row(
        "run/engine.py",
        "use --engine ray",
        f"search $DATA/facts {FOUND} --address localhost:1",
        f"search $DATA/facts {FOUND} --address localhost:1 --engine ray",
        reaches="ray",
    ),
    # ---- files -------------------------------------------------------------------------------
    Row(
        "decoding/lines.py",
        "iconv -f latin1 -t utf-8",
        f"fit f.txt {VECTORS}",
        f"fit g.txt {VECTORS}",
        before="iconv -f utf-8 -t latin1 $DATA/nations_e.txt > f.txt",
        mend="iconv -f latin1 -t utf-8 f.txt > g.txt",
    ),
    Row(
        "decoding/files.py",
        "iconv -f latin1 -t utf-8",
        "ddi add-drug $RUNS/pairs --file f.toml",
        "ddi add-drug $RUNS/pairs --file g.toml",
        before='printf \'name = "N\\351"\\nsmiles = "CCO"\\n\' > f.toml',
        mend="iconv -f latin1 -t utf-8 f.toml > g.toml",
    ),
    Row(
        "decoding/magic.py",
        "iconv -f utf-16 -t utf-8",
        f"fit f.txt {VECTORS}",
        f"fit g.txt {VECTORS}",
        before="iconv -f utf-8 -t utf-16 $DATA/facts/train.txt > f.txt",
        mend="iconv -f utf-16 -t utf-8 f.txt > g.txt",
        as_written="iconv -f",
    ),
    Row(
        "decoding/magic.py",
        "iconv -f utf-16le -t utf-8",
        f"fit f.txt {VECTORS}",
        f"fit g.txt {VECTORS}",
        before="iconv -f utf-8 -t utf-16le $DATA/facts/train.txt > f.txt",
        mend="iconv -f utf-16le -t utf-8 f.txt > g.txt",
        as_written="iconv -f",
    ),
    Row(
        "decoding/magic.py",
        "gzip -d",
        f"fit f.txt {VECTORS}",
        f"fit f.txt {VECTORS}",
        before="gzip -c $DATA/facts/train.txt > f.txt",
        mend="mv f.txt f.txt.gz; gzip -d f.txt.gz",
        as_written="{}",
    ),
    Row(
        "graph/rdf.py",
        "iconv -f latin1 -t utf-8",
        f"fit f.nt {VECTORS}",
        f"fit g.nt {VECTORS}",
        before="iconv -f utf-8 -t latin1 $DATA/graph.nt > f.nt",
        mend="iconv -f latin1 -t utf-8 f.nt > g.nt",
    ),
    Row(
        "datasets/loading.py",
        "set PARSIMONY_DATA to a folder with it, or give --mirror URL|FOLDER",
        f"fit umls {VECTORS}",
        f"fit umls {VECTORS} --mirror $TMP/m --out a\nPARSIMONY_DATA=$TMP/m fit umls {VECTORS} --out b",
        before="mkdir m; cp -r $DATA/facts m/umls",
    ),
    Row(
        "datasets/loading.py",
        "name that edition: --mirror $TMP/m",
        f"fit umls {VECTORS}",
        f"fit umls {VECTORS} --mirror $TMP/m",
        before="cp -r $DATA/mirror m; "
        f"parsimony fit umls {VECTORS} --mirror $TMP/m --out a --quiet",
        as_written="--mirror {",
    ),
    Row(
        "datasets/archive.py",
        "set PARSIMONY_CACHE to a writable folder",
        f"PARSIMONY_CACHE=$TMP/file fit umls {VECTORS} --mirror $DATA/mirror",
        f"PARSIMONY_CACHE=$TMP/c fit umls {VECTORS} --mirror $DATA/mirror",
        before=": > file",
    ),
    Row(
        "link/folder.py",
        "list all relations in relations.txt to allow it",
        f"fit f {VECTORS}",
        f"fit f {VECTORS}",
        before="cp -r $DATA/facts f; printf 'a\\tnew\\tb\\n' >> f/test.txt",
        mend="cut -f2 f/*.txt | sort -u > f/relations.txt",
    ),
    Row(
        "molecules/table.py",
        'write {"train_tasks": ["A", "B"], "test_tasks": ["C"]}',
        f"fit m {SHOTS}",
        f"fit m {SHOTS}",
        before="cp -r $DATA/molecules m; echo '[]' > m/task_splits.json",
        mend='echo \'{"train_tasks": ["alcohol", "amine"], "test_tasks": ["thiol"]}\' > m/task_splits.json',
    ),
    Row(
        "molecules/task.py",
        "name some in task_splits.json",
        f"fit m {SHOTS}",
        f"fit m {SHOTS}",
        before="cp -r $DATA/molecules m; "
        'echo \'{"train_tasks": [], "test_tasks": ["thiol"]}\' > m/task_splits.json',
        mend='echo \'{"train_tasks": ["alcohol", "amine"], "test_tasks": ["thiol"]}\' > m/task_splits.json',
    ),
    # ---- Python ------------------------------------------------------------------------------
    Row(
        "base/estimator.py",
        "load a run with parsimony.load_run",
        "py:parsimony.resolve('rules')().evaluate('test')",
        "py:parsimony.load_run('$OLD/rules').evaluate('test')",
    ),
    Row(
        "base/estimator.py",
        "make one with parsimony.open_task('link', DATA)",
        "py:parsimony.resolve('rules')().fit(parsimony.load('$DATA/facts'))",
        "py:parsimony.resolve('rules')().fit(parsimony.open_task('link', '$DATA/facts'))\n"
        "py:parsimony.resolve('rules')().fit(parsimony.open_task('link', parsimony.load('$DATA/facts')))",
        as_written="parsimony.open_task(",
    ),
    Row(
        "base/estimator.py",
        "read it with parsimony.load_run",
        "py:parsimony.resolve('rules').load('$OLD/redgnn')",
        "py:parsimony.load_run('$OLD/redgnn')",
    ),
    Row(
        "search/trials.py",
        "continue it with --resume, or choose another --out",
        "py:__import__('parsimony.search.trials', fromlist=['x']).TrialStore('run/search', {})",
        f"search $DATA/facts {FOUND} --out run --resume\nsearch $DATA/facts {FOUND} --out another",
        before=f"parsimony search $DATA/facts {FOUND} --out run --quiet",
    ),
    Row(
        "datasets/mirror.py",
        "check the address given as --mirror or PARSIMONY_MIRROR",
        f"fit umls {VECTORS} --mirror $URL/nothing",
        f"fit umls {VECTORS} --mirror $URL --out a\n"
        f"PARSIMONY_MIRROR=$URL fit umls {VECTORS} --out b",
    ),
    Row(
        "ratings/task.py",
        "load them with parsimony.load, or give a file",
        "py:parsimony.resolve('means').Task.open(3, {})",
        "py:parsimony.resolve('means').Task.open(parsimony.load('$DATA/ratings.csv'), {})\n"
        "py:parsimony.resolve('means').Task.open('$DATA/ratings.csv', {})",
    ),
    Row(
        "problems.py",
        "give a name, a path, or what parsimony.load returns",
        "py:parsimony.open_task('link', 3)",
        "py:parsimony.open_task('link', '$DATA/facts')\n"
        "py:parsimony.open_task('link', 'royal')\n"
        "py:parsimony.open_task('link', parsimony.load('$DATA/facts'))",
    ),
    Row(
        "problems.py",
        "use a method of task ddi",
        "py:parsimony.open_task('link', parsimony.load('$DATA/pairs'))",
        "py:parsimony.resolve('prior')().fit(parsimony.open_task('ddi', parsimony.load('$DATA/pairs')))",
        as_written="use a method of task",
    ),
    Row(
        "graph/formats.py",
        "--columns subject,predicate,object",
        f"fit four.csv {VECTORS}",
        f"fit four.csv --columns a,b,c {VECTORS}",
        before="sed -e '1s/.*/a,b,c/' -e 's/$/,x/' -e '1s/x/d/' $DATA/named.csv > four.csv",
    ),
    Row(
        "cli/audit.py",
        "the notes of parsimony fit describe it",
        "audit $DATA/molecules",
        f"fit $DATA/molecules {SHOTS}",
    ),
    Row(
        "link/estimator.py",
        "--relation R",
        "explain $OLD/redgnn --head $HEAD --tail $TAIL",
        "explain $OLD/redgnn --head $HEAD --tail $TAIL --relation $REL",
    ),
]


# ---- what the rows use -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Small data and runs, and the names that the rows use for them."""
    data, runs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs")
    write_royal_part(data / "facts")
    write_cyp_part(data / "pairs")
    write_molecules(data / "molecules", lengths=2)
    write_ratings(data, users=30, items=24, rated=18)
    for table in [*data.glob("*.csv"), *data.glob("molecules/*.csv")]:
        table.write_bytes(table.read_bytes().replace(b"\r\n", b"\n"))
    facts = [
        line.split("\t") for line in (OLD / "redgnn/data/entities.txt").read_text().split("\n")
    ]
    rows = [line.split("\t") for line in (data / "facts/train.txt").read_text().splitlines()]
    head, relation, tail = rows[0]
    assert [head] in facts
    _write_tables(data, rows)
    _write_pairs(data)
    for name, words in {"labels": "labels --method prior", "known": "complete --method prior",
                        "pairs": "pairs --method prior"}.items():  # fmt: skip
        _type(f"fit {data}/{words} --out {runs}/{name}")
    first, second, _ = (data / "pairs/test_S1.txt").read_text().split("\n")[0].split("\t")
    serve = functools.partial(Silent, directory=data / "mirror")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "URL": f"http://127.0.0.1:{server.server_port}",
        "DATA": str(data), "RUNS": str(runs), "OLD": str(OLD), "A": first, "B": second,
        "HEAD": shlex.quote(head), "REL": shlex.quote(relation), "TAIL": shlex.quote(tail),
        "BAD": os.fsdecode(b"\xff"),
    }  # fmt: skip
    server.shutdown()
    server.server_close()


class Silent(http.server.SimpleHTTPRequestHandler):
    """A mirror on the web that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _write_tables(data: Path, rows: list[list[str]]) -> None:
    """The facts in other forms, and an archive of them."""
    from tests.cases.test_head_tail_relation_order import facts, written
    from tests.datasets.dataset_files import write_mirror

    from parsimony.datasets.registry import entry

    lines = ["subject,predicate,object", *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    (data / "named.csv").write_text("\n".join(lines))
    (data / "nations.txt").write_text(written(facts(400, entities=14, relations=55), "htr"))
    (data / "nations_e.txt").write_text("\n".join("\té".join(row) for row in rows))
    (data / "graph.nt").write_text("".join(
        f"<urn:é{h}> <urn:{r}> <urn:é{t}> .\n" for h, r, t in facts(120)
    ))  # fmt: skip
    chains = data / "molecules" / "chains.csv"
    sets = {f"mol_fewshot/{name}.csv": chains for name in ("tox21", "sider", "toxcast", "muv")}
    splits = {f"umls/{path.name}": path for path in (data / "facts").iterdir()}
    write_mirror(
        data / "mirror",
        {"kg_umls.tar.gz": _packed(splits), entry("tox21").archive: _packed(sets)},
    )


def _packed(files: dict[str, Path]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, path in files.items():
            archive.add(path, name)
    return content.getvalue()


def _write_pairs(data: Path) -> None:
    """Drug pairs with several labels, and three drugs of which each pair is known."""
    labels = Path(shutil.copytree(data / "pairs", data / "labels"))
    kinds = [line.split("\t")[0] for line in (labels / "relations.tsv").read_text().split("\n")]
    rows = (labels / "train.txt").read_text().splitlines()
    first = rows[0].split("\t")
    others = [kind for kind in kinds[1:3] if kind != first[2]]
    (labels / "train.txt").write_text("\n".join(
        ["\t".join([*first[:2], f"{first[2]},{others[0]}"]), *rows[1:]]
    ))  # fmt: skip
    whole = data / "complete"
    whole.mkdir()
    (whole / "drugs.tsv").write_text("id\na\nb\nc\n")
    (whole / "relations.tsv").write_text(
        "id\ttemplate\n0\t#Drug1 meets #Drug2\n1\t#Drug1 hits #Drug2\n"
    )
    (whole / "train.txt").write_text("a\tb\t0\na\tc\t1\n")
    (whole / "test_S0.txt").write_text("b\tc\t0\n")


def _type(line: str) -> tuple[int, dict]:
    """Type a command, with variables in front as a shell has them."""
    words = shlex.split(line)
    variables = {}
    while words and re.match(r"[A-Z_]+=", words[0]):
        name, _, variables[name] = words.pop(0).partition("=")
    found = CliRunner().invoke(
        app, [*words, "--json", "--quiet"], env=variables, prog_name="parsimony"
    )
    try:
        return found.exit_code, json.loads(found.stdout)
    except ValueError:
        raise AssertionError(f"{line}\n{found.output}") from found.exception


def _unvalidated(protocol: str) -> parsimony.LinkTask:
    """Facts without validation, as no folder gives them, for entities that are new in test."""
    data = parsimony.load(os.environ["FACTS"])
    none = replace(data, valid=data.valid[:0])
    return parsimony.LinkTask(replace(none, inductive=data), protocol)


def _do(line: str) -> dict | None:
    """Type a command or evaluate Python; return the error, None where there is none."""
    if line.startswith("py:"):
        try:
            eval(line[3:], {"parsimony": parsimony, "unvalidated": _unvalidated})
        except ParsimonyError as error:
            return error.to_dict()
        return None
    code, found = _type(line)
    assert bool(code) == ("error" in found), found
    return found.get("error")


def _prepare(lines: str) -> None:
    """Run shell lines; those of ``parsimony`` in this process."""
    shell: list[str] = []
    for part in [*lines.split("; "), "parsimony"]:
        if not part.startswith("parsimony"):
            shell.append(part)
            continue
        if any(shell):
            subprocess.run(["sh", "-e", "-c", "; ".join(shell)], check=True)
        shell = []
        if part != "parsimony":
            assert _do(part.removeprefix("parsimony ")) is None


def _id(row: Row) -> str:
    return f"{row.at.removesuffix('.py')} {row.says[:40]}"


def test_a_run_that_another_process_writes(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit = f"fit {made['DATA']}/facts --method rules --out"
    lock = FolderLock(tmp_path / "run")
    (tmp_path / "run").mkdir()
    lock.acquire()
    try:
        error = _do(f"{fit} run")
        assert error and error["remedy"] == "wait for it, or choose another --out"
        assert _do(f"{fit} another") is None
    finally:
        lock.release()
    assert _do(f"{fit} run") is None


@pytest.mark.parametrize("words", ["", "--epoch 3", "--seed x"])
def test_the_help_that_is_pointed_at(words):
    error = _do(f"fit {words}")
    assert error and error["remedy"] == "see: parsimony fit --help"
    shown = CliRunner().invoke(app, ["fit", "--help"])
    assert shown.exit_code == 0 and "--epochs" in shown.output


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_the_advice_works(row, made, tmp_path, monkeypatch, cache):
    for needed in ("rdkit",) * ("molecules" in row.cause or "par" in row.cause.split("/")):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACTS", f"{made['DATA']}/facts")
    names = made | {"TMP": str(tmp_path)}

    def filled(text: str) -> str:
        return Template(text).safe_substitute(names)

    _prepare(filled(row.before))
    error = _do(filled(row.cause))
    assert error is not None, "nothing was refused"
    assert filled(row.says) in error["remedy"], error
    assert any(re.search(pattern, error["remedy"]) for pattern in _patterns(row)), error
    _prepare(filled(row.mend))
    for line in filled(row.then).split("\n"):
        if line:
            after = _do(line)
            if row.reaches:
                assert row.reaches in json.dumps(after).lower()
            else:
                assert after is None, (error["remedy"], line, after)


# ---- none is left out --------------------------------------------------------------------------

#: what a remedy that can be followed to the letter names
NAMES = re.compile(
    r"--[a-z]|\bparsimony[ .](?!in\b)|\biconv\b|gzip|PARSIMONY_|pip install|ray start|checkpoints"
)
#: source, words of the remedy → why no row can follow it on every machine
ELSEWHERE = {
    ("answers.py", "pip install"): "a package to install",
    ("chem/cache.py", "pip install"): "a package to install",
    ("chem/smiles.py", "pip install"): "a package to install",
    ("graph/rdf.py", "pip install"): "a package to install",
    ("molecules/fingerprint_methods.py", "pip install"): "a package to install",
    ("run/engine_ray.py", "pip install"): "a package to install",
    ("run/engine_ray.py", "ray start --head"): "a cluster",
    ("run/engine_ray.py", "try again, or --engine local"): "a cluster",
    ("link/reasoning/torch_device.py", "--device cpu"): "a CUDA device that fails",
    ("datasets/archive.py", "PARSIMONY_CACHE to another folder"): "a full disk",
    ("cli/command_group.py", "--set batch="): "a machine without memory",
    ("datasets/mirror.py", "PARSIMONY_CACHE"): "a cache that fails between two accesses",
    ("ddi/twosides.py", "--set split=random"): "the archive of TWOSIDES",
    ("search/supernet.py", "--algorithm"): "a space of its own: ours can all be trained so",
    ("base/estimator.py", "a lower --set lr="): "a method that does not look at its loss",
    ("metrics/guard.py", "lower lr (--set lr="): "a measure out of range of finite scores",
    ("run/lock.py", "wait for it"): "test_a_run_that_another_process_writes",
    ("cli/command_group.py", " --help"): "test_the_help_that_is_pointed_at",
}


@dataclass(frozen=True)
class Remedy:
    """A remedy as the source has it, fields as ``{…}``."""

    at: str
    line: int
    text: str


def _texts(node: ast.AST, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Every text that an expression can give; ``{}`` stands for a field."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values
        )  # fmt: skip
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body, names), *_texts(node.orelse, names))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value, names)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for left in _texts(node.left, names):
            yield from (left + right for right in _texts(node.right, names))
    elif isinstance(node, ast.BinOp):  # text * condition
        yield from ("", *_texts(node.left, names))
    elif isinstance(node, ast.Name):
        for value in names.get(node.id, []):
            yield from _texts(value, {k: v for k, v in names.items() if k != node.id})
        if node.id not in names:
            yield "{}"
    elif (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
        and node.func.attr == "join"
    ):  # fmt: skip
        inner = node.args[0]
        yield from _texts(getattr(inner, "elt", inner), names)
    else:
        yield "{}"


def _remedies(path: Path) -> Iterator[Remedy]:
    """The remedies of a source file."""
    tree, at = ast.parse(path.read_text()), path.relative_to(SOURCE).as_posix()
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.keyword) and node.arg == "remedy":
            found = [node.value]
        elif isinstance(node, ast.Dict):
            found = [
                value for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "remedy"
            ]  # fmt: skip
        for value in found:
            for text in _texts(value, names):
                yield Remedy(at, value.lineno, text)


def _patterns(row: Row) -> list[str]:
    """The remedies that a row may be about, as patterns."""
    words = row.as_written or row.says
    found = [r for r in _remedies(SOURCE / row.at) if words in r.text]
    assert found, f"no remedy of {row.at} has {words!r}"
    return [".*".join(map(re.escape, r.text.split("{}"))) for r in found]


def test_no_remedy_is_left_out():
    rows = [(row.at, row.as_written or row.says) for row in ROWS]
    known = [*rows, *ELSEWHERE]
    every = [r for path in sorted(SOURCE.rglob("*.py")) for r in _remedies(path)]
    assert len(every) > 300
    missing = [
        f"{r.at}:{r.line}: {r.text}"
        for r in every
        if NAMES.search(r.text) and not any(at == r.at and words in r.text for at, words in known)
    ]
    assert not missing, "\n".join(missing)
    for at, words in ELSEWHERE:
        assert any(r.at == at and words in r.text for r in every), (at, words)
