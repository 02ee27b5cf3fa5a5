#!/bin/sh
# The server refuses to start without what the real one reads: its password and its dynamic configuration.
set -eu
if [ -z "${DB:-}" ]; then # the UI: the real one has a server of its own
    exec python3 -m http.server --bind 0.0.0.0 --directory /home/temporal 8080
fi
test -n "$POSTGRES_PWD"
grep -q history.timerProcessorMaxTimeShift "$DYNAMIC_CONFIG_FILE_PATH"
exec temporal server start-dev --ip 0.0.0.0 --port 7233 --headless --db-filename /tmp/temporal.db --log-level error
