#!/bin/bash
# Healthy when every model of the server's configuration has an available version.
#
# usage: health.sh [models.config] [REST port]
#
# The tensorflow/serving images have bash and coreutils and nothing that speaks HTTP, so bash opens the socket itself.
# REST has threads of its own: a server whose gRPC threads are all busy still answers here.
set -euo pipefail

config=${1:-/config/models.config}
port=${2:-8501}

# Prints the answer to GET $1, head and body.
get() {
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
    cat <&3
    exec 3>&-
}

text=$(<"$config")
name_field="(^|[[:space:]{,;])name[[:space:]]*:[[:space:]]*[\"']([^\"']+)[\"'](.*)"
models=()
while [[ $text =~ $name_field ]]; do
    models+=("${BASH_REMATCH[2]}")
    text=${BASH_REMATCH[3]}
done
if ((${#models[@]} == 0)); then
    echo "$config names no model" >&2
    exit 1
fi

for model in "${models[@]}"; do
    answer=$(get "/v1/models/$model")
    if ! [[ $answer =~ ^HTTP/1\.[01]\ 200\  && $answer =~ \"state\":[[:space:]]*\"AVAILABLE\" ]]; then
        echo "$model has no available version: ${answer##*$'\r\n\r\n'}" >&2
        exit 1
    fi
done
