# shellcheck shell=bash
# A server of another user at its descriptor limit, by the default unit's capabilities.
# timeout: 150
settings
raises_a_limit
feature "rlimit.nofile of another user, hard limit raised" yes
