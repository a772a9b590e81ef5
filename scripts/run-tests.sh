#!/bin/sh
# All tests, in two steps: on all processors the unit tests and those of whole programs that time
# nothing (reports, tapes that are replayed, recordings of a page at rest);
# then what needs the machine for itself (a real Chrome that is timed, recordings that are judged,
# interrupts) one after the other. Both always run.
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

beside=""
apart=""
for name in allure baselines plugin rendered_report report_pages; do
    beside="$beside tests/integration/test_$name.py"
    apart="$apart --ignore=tests/integration/test_$name.py"
done
# shellcheck disable=SC2086 -- lists of names without blanks
step tests/unit $beside -n auto "$@"
# shellcheck disable=SC2086
step tests/layer tests/integration scenarios $apart "$@"
exit "$failed"
