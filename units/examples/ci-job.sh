#!/bin/sh
# A CI job that borrows the GPU of a machine that serves: run it on that machine's own runner, as the user of the units.
# The card is freed, the tests run, and what was there before comes back, also when they fail; the exit code is theirs.
set -eu

# Waits up to half an hour for a switch of somebody else's to end, and gives requests in flight five minutes.
# Busy beyond that is 75, and nothing was touched: most CI systems can be told to try again on it.
exec gpumod run --mode off --lock-timeout 30m --drain 5m -- "${@:-./run-gpu-tests}"
