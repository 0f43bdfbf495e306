#!/bin/sh
# The developer's push from a build machine, which starts empty each time: only what changed is sent, the site changes within a second,
# its front page last, and a build that lost half of its files deletes nothing.
#
#   DEPLOY_URL=ftpes://web@example.org/htdocs ONEWAY_PASSWORD=... push-build.sh build
set -eu
build=${1:?"which directory?"}
url=${DEPLOY_URL:?"where to? as in ftpes://web@example.org/htdocs"}

exec oneway sync "$build" "$url" \
    --delete --fail-if 'delete>20' \
    --remote-state --remote-lock \
    --delay-updates --last index.html \
    --report json=deploy.json --report html=deploy.html
