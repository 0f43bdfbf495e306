#!/bin/sh
# The reviewer's way: a difference to look at, and then exactly that, or nothing.
#
#   review.sh build ftpes://web@example.org/htdocs           writes site.plan and diff.html, and changes nothing
#   oneway apply site.plan                                   does what was looked at; what has changed since is left alone and told
set -eu
source=${1:?"from where?"}
destination=${2:?"to where?"}

oneway plan "$source" "$destination" --delete -o site.plan --report html=diff.html
echo "Look at diff.html; \`oneway apply site.plan\` does exactly that."
