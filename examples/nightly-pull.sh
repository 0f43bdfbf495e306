#!/bin/sh
# The operator's night: run a job, keep its report, and let monitoring know.
#
#   30 2 * * *   nightly-pull.sh reports         in cron, for [job.reports] of oneway.toml
#
# Its exit status is that of the run. Who asks later, asks `oneway status reports`: 0 fresh, 1 stale, 2 failing.
set -u
job=${1:?"which job of oneway.toml?"}
kept=${REPORTS:-$HOME/oneway-reports}
mkdir -p "$kept"

status=0
oneway run "$job" --quiet --report "html=$kept/$job-$(date +%Y-%m-%d).html" --metrics-file "$kept/oneway.prom" || status=$?

# A month of reports.
find "$kept" -name "$job-*.html" -mtime +31 -delete

# In the mail that cron sends: when it last went well.
oneway status "$job" --max-age 26h
exit "$status"
