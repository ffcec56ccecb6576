"""What every problem and every method shares: the contract of tasks and of estimators.

An estimator's constructor stores typed, validated parameters; ``fit(task)`` learns attributes that
end in ``_`` and returns self; then ``score``, ``predict``, ``evaluate``, ``explain``,
``knowledge``, ``save``, ``load``. Which methods there are stands in :mod:`parsimony.methods`,
which problems in :mod:`parsimony.problems`.
"""

from parsimony.base.estimator import Estimator, Fitting, ParametersT, TaskT
from parsimony.base.parameters import Parameters, TaskOptions, constructor
from parsimony.base.ranges import Tuned, tuned, tuned_among
from parsimony.base.task import Data, Task

__all__ = [
    "Data",
    "Estimator",
    "Fitting",
    "Parameters",
    "ParametersT",
    "Task",
    "TaskOptions",
    "TaskT",
    "Tuned",
    "constructor",
    "tuned",
    "tuned_among",
]
