#!/bin/sh
# All tests, in two steps: the unit tests on all processors, then what needs the machine for
# itself (a real Chrome that is timed, recordings) one after the other. Both always run.
# Usage: run-tests.sh PYTHON [PYTEST ARGUMENTS]
python=$1
shift
failed=0

step() {
    "$python" -m pytest "$@"
    code=$?
    # 5: an expression in the arguments chose nothing of this step.
    [ "$code" -eq 5 ] || [ "$code" -eq 0 ] || failed=$code
    # 2: interrupted, so is the rest.
    [ "$code" -ne 2 ] || exit 2
}

step tests/unit -n auto "$@"
step tests/layer tests/integration scenarios "$@"
exit "$failed"
